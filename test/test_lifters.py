"""Lifters: published sizes, what reads what, the layers pair by pair, ONNX, and a tiny fit."""

import warnings

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")
onnx = pytest.importorskip("onnx", reason="onnx is not installed: no export here")

from erd_ros.models.abspose import AbsPoseLifter
from erd_ros.models.lcn import LcnLifter, LocallyConnected, joints_within
from erd_ros.models.linear import LifterConfig, LifterShape, LinearLifter
from erd_ros.models.semgcn import NonLocal, SemanticGraphConvolution, SemGcnLifter
from erd_ros.skeleton import H36M17

SHAPE = LifterShape(H36M17.parents, channels=3, context=3, outputs=3)
SMALL = LifterConfig(width=16, blocks=2, dropout=0.0)
LIFTERS = [LinearLifter, LcnLifter, SemGcnLifter, AbsPoseLifter]
# A detector's nine joints, the root last: nothing may rely on 17 joints or on the root's place.
NINE = LifterShape((8, 0, 1, 8, 3, 4, 8, 6, -1), channels=2, context=0, outputs=3)


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def people(shape, persons=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(persons, shape.joints, shape.channels, generator=generator)
    return features, torch.randn(persons, shape.context, generator=generator)


def ready(module, seed=0):
    """As after some training: no weight at the value it starts from, statistics away from 0, 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor += 0.1 * torch.rand(tensor.shape, generator=generator)
    return module.eval()


def steps_apart(parents):
    """(J, J) number of bones between joints, by walking up to the common ancestor."""

    def ancestors(joint):
        path = [joint]
        while parents[path[-1]] >= 0:
            path.append(parents[path[-1]])
        return path

    paths = [ancestors(joint) for joint in range(len(parents))]
    return np.array(
        [[min(a.index(x) + b.index(x) for x in a if x in b) for b in paths] for a in paths]
    )


@pytest.mark.parametrize("lifter", LIFTERS)
@pytest.mark.parametrize("shape", [SHAPE, NINE])
def test_shapes(lifter, shape):
    network = lifter(shape, SMALL)
    assert network(*people(shape)).shape == (12, shape.joints, 3)
    assert network.eval()(*people(shape, persons=1)).shape == (1, shape.joints, 3)


@pytest.mark.parametrize("lifter", LIFTERS)
def test_several_roots(lifter):
    shape = LifterShape(H36M17.parents, channels=2, context=3, outputs=9)
    assert lifter(shape, SMALL)(*people(shape)).shape == (12, 17, 9)


@pytest.mark.parametrize("lifter", LIFTERS)
def test_gradients_reach_every_parameter(lifter):
    torch.manual_seed(0)
    network = ready(lifter(SHAPE, SMALL)).train()
    output = network(*people(SHAPE))
    (output * torch.randn(output.shape)).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("lifter", LIFTERS)
def test_context_reaches_every_joint(lifter):
    network = ready(lifter(SHAPE, SMALL))
    features, context = people(SHAPE, persons=1)
    jacobian = torch.autograd.functional.jacobian(lambda c: network(features, c), context)
    moved = jacobian.abs().amax(dim=(0, 2, 3, 4)) > 0
    assert moved.all()


@pytest.mark.parametrize("lifter", LIFTERS)
def test_persons_do_not_mix(lifter):
    network = ready(lifter(SHAPE, SMALL))
    features, context = people(SHAPE)
    with torch.no_grad():
        together = network(features, context)
        alone = network(features[4:5], context[4:5])
    torch.testing.assert_close(together[4:5], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("lifter", LIFTERS)
def test_bfloat16_in_training(lifter):
    network = ready(lifter(SHAPE, SMALL)).train()
    features, context = people(SHAPE)
    with torch.no_grad():
        expected = network(features, context)
    with torch.autocast("cpu", torch.bfloat16):
        given = network(features, context)
    given.float().square().sum().backward()
    scale = expected.square().mean().sqrt()
    assert (given.float() - expected).abs().mean() < 0.03 * scale
    for name, parameter in network.named_parameters():
        assert parameter.grad.dtype == torch.float32, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("lifter", LIFTERS)
def test_learns(lifter):
    """A tiny fit: the pose is a smooth function of the keypoints and the context."""
    torch.manual_seed(0)
    features, context = people(SHAPE, persons=64)
    target = torch.tanh(features + context[:, None])
    target[:, 0, :2] = 0  # of the root there is only a depth
    network = lifter(SHAPE, LifterConfig(width=32, blocks=1, dropout=0.0))
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    losses = []
    for _ in range(80):
        optimiser.zero_grad()
        loss = (network(features, context) - target).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


@pytest.mark.parametrize("lifter", LIFTERS)
def test_onnx_equals_pytorch(lifter, tmp_path):
    network = ready(lifter(SHAPE, SMALL))
    batch = torch.export.Dim("N", min=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network, people(SHAPE, persons=3), input_names=["features", "context"],
            dynamic_shapes=({0: batch}, {0: batch}), opset_version=17, dynamo=True, optimize=True,
            verbose=False,
        )  # fmt: skip
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString(), options)
    for persons in (1, 2, 64):
        features, context = people(SHAPE, persons, seed=persons)
        given = session.run(None, {"features": features.numpy(), "context": context.numpy()})[0]
        with torch.no_grad():
            expected = network(features, context).numpy()
        np.testing.assert_allclose(given, expected, atol=1e-5, rtol=1e-5)
    written, run = program.model_proto, onnx.load(options.optimized_model_filepath)
    assert written.opset_import[0].version == 17
    operators = {node.op_type for node in written.graph.node}
    assert not operators & {"If", "Loop", "Scan", "NonZero", "Dropout"}
    # What depends on weights alone is computed once, when the file is loaded.
    assert not {node.op_type for node in run.graph.node} & {"ScatterND", "Softmax"}


@pytest.mark.parametrize("steps", [1, 2, 3, 20])
def test_joints_within_steps(steps):
    for parents in (H36M17.parents, NINE.parents):
        expected = steps_apart(parents) <= steps
        np.testing.assert_array_equal(joints_within(parents, steps).numpy(), expected)


def test_locally_connected_layer_reads_near_joints_alone():
    near = joints_within(H36M17.parents, 3)
    layer = LocallyConnected(near, 4, 5)
    features = torch.randn(1, 17, 4)
    jacobian = torch.autograd.functional.jacobian(layer, features)[0, :, :, 0]  # (17, 5, 17, 4)
    read = jacobian.abs().amax(dim=(1, 3)) > 0
    np.testing.assert_array_equal(read.numpy(), steps_apart(H36M17.parents) <= 3)


def test_locally_connected_layer_joint_by_joint():
    near = joints_within(NINE.parents, 2)
    layer = LocallyConnected(near, 3, 2)
    features = torch.randn(6, 9, 3)
    expected = layer.bias.detach().reshape(9, 2).expand(6, 9, 2).clone()
    pairs = [(i, j) for i in range(9) for j in range(9) if near[i, j]]
    for weight, (to, of) in zip(layer.weight.detach(), pairs, strict=True):
        expected[:, to] += features[:, of] @ weight.T
    torch.testing.assert_close(layer(features).detach(), expected, atol=1e-5, rtol=1e-5)


def test_lcn_size():
    """By hand: 64 x 64 weights for each pair of joints at most 3 bones apart."""
    pairs = (steps_apart(H36M17.parents) <= 3).sum()
    shape = LifterShape(H36M17.parents, channels=2, context=0, outputs=3)
    hidden = 4 * (pairs * 64 * 64 + 17 * 64)
    ends = pairs * 2 * 64 + 17 * 64 + pairs * 64 * 3 + 17 * 3
    norms = 5 * (2 * 17 + 1)  # scale and shift of each joint, one slope
    assert parameters(LcnLifter(shape, LifterConfig(64, 2))) == hidden + ends + norms


def test_semgcn_has_its_published_size():
    """0.43 million parameters with non-local layers: README of garyzhao/SemGCN."""
    shape = LifterShape(H36M17.parents, channels=2, context=0, outputs=3)
    network = SemGcnLifter(shape, LifterConfig(128, 4, 0.0))
    assert round(parameters(network) / 1e6, 2) == 0.43
    attention = [module for module in network.modules() if isinstance(module, NonLocal)]
    assert len(attention) == 5
    assert round((parameters(network) - sum(map(parameters, attention))) / 1e6, 2) == 0.27


def test_semgcn_adjacency():
    near = joints_within(H36M17.parents, 1)
    convolution = ready(SemanticGraphConvolution(near, 4, 5))
    adjacency = convolution.adjacency().detach()
    torch.testing.assert_close(adjacency.sum(1), torch.ones(17))
    np.testing.assert_array_equal((adjacency > 0).numpy(), steps_apart(H36M17.parents) <= 1)


def test_semantic_convolution_joint_by_joint():
    near = joints_within(NINE.parents, 1)
    convolution = ready(SemanticGraphConvolution(near, 3, 2))
    features = torch.randn(9, 6, 3)
    expected = torch.zeros(9, 6, 2)
    edges = iter(convolution.edges.tolist())
    for to in range(9):
        scores = {of: np.exp(next(edges)) for of in range(9) if near[to, of]}
        for of, score in scores.items():
            weights = convolution.own if to == of else convolution.others
            expected[to] += score / sum(scores.values()) * features[of] @ weights.detach()
    given = convolution(features).detach()
    torch.testing.assert_close(given, expected, atol=1e-5, rtol=1e-5)


def test_non_local_layer_pair_by_pair():
    """The definition, embeddings of each pair concatenated: Zhao et al. eq. 3, Wang et al. 3.2."""
    torch.manual_seed(0)
    layer = ready(NonLocal(8))
    features = torch.randn(5, 3, 8)
    with torch.no_grad():
        theta, phi, value = layer.theta(features), layer.phi(features), layer.value(features)
        received = torch.zeros(5, 3, 4)
        for to in range(5):
            for of in range(5):
                pair = torch.cat([theta[to], phi[of]], -1) @ layer.pair.flatten()
                received[to] += pair.relu()[:, None] * value[of] / 5
        normalised = layer.normalisation(layer.output(received).reshape(15, 8))
        expected = features + normalised.reshape(5, 3, 8)
        torch.testing.assert_close(layer(features), expected, atol=1e-5, rtol=1e-5)


def test_abspose_size_and_order():
    """The paper's 4096 features: 67.4 million parameters for 2J + 3 numbers in, 3J - 2 out."""
    shape = LifterShape(H36M17.parents, channels=2, context=3, outputs=3)
    with torch.device("meta"):
        large = AbsPoseLifter(shape, LifterConfig(4096, 2))
    norms = 4 * 2 * 4096
    linear = 37 * 4096 + 4096 + 4 * (4096 * 4096 + 4096) + 4096 * 49 + 49
    assert parameters(large) == linear + norms
    network = ready(AbsPoseLifter(NINE, SMALL))
    features, context = people(NINE)
    with torch.no_grad():
        pose, numbers = network(features, context), network.network(features.flatten(1))
    assert (pose[:, 8, :2] == 0).all()
    torch.testing.assert_close(pose[:, 8, 2], numbers[:, 0])
    torch.testing.assert_close(pose[:, :8], numbers[:, 1:].reshape(-1, 8, 3))
