"""Export: the graph that was trained, as one ONNX file that ONNX Runtime and TensorRT 8.6 read."""

import base64
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import helper
from torch import Tensor, nn

from erd_ros import golden
from erd_ros.artifact import METADATA_KEY, STEPS_KEY, Artifact
from erd_ros.cues import Cues
from erd_ros.digest import with_digest
from erd_ros.errors import ArtifactError, InputError
from erd_ros.export.graph import simplify, split_off
from erd_ros.export.networks import PRECISIONS
from erd_ros.files import write_atomically
from erd_ros.golden import Golden
from erd_ros.models.checkpoint import load_model
from erd_ros.models.erd import ErdModel, what_is_sure
from erd_ros.pose import FloatArray

OPSET = 17  # the newest that TensorRT 8.6 reads
IR_VERSION = 8  # of the ONNX release that brought opset 17; older runtimes refuse newer ones
# Metres, ONNX Runtime against PyTorch in float32. Half precision moves the root along the ray most.
LARGEST_DIFFERENCE = {"float32": 1e-5, "mixed_float16": 2e-2}
LARGEST_FILE = 20_000_000  # bytes
_SIZE = 1.6  # metres from ankle to head top
_BATCH_SIZES = (1, 2, 7, 64)
_GOLDEN_PERSONS, _GOLDEN_SEED = 8, 1000
_INPUTS = ("rays", "confidence", "cues")  # the last where the root comes from cues
_OUTPUTS = ("joints", "root", "residual", "size", "sigma")  # the last two likewise


class _Exported(nn.Module):
    """The model with every step's estimate as an output, and the residual of the last."""

    def __init__(self, model: ErdModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, rays: Tensor, confidence: Tensor, cues: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        trajectory = self.model.trajectory(rays, confidence, cues=cues)
        steps = [value for step in trajectory for value in (step.joints, step.root)]
        return (*steps, *what_is_sure(trajectory[-1], rays, confidence))


def export(checkpoint: Path, out: Path, precision: str = "float32") -> dict[str, float]:
    """Write a checkpoint as ONNX; returns the file's bytes and the largest difference, metres.

    The outputs are ``joints``, ``root`` and ``residual``, and ``size`` and ``sigma`` of a model
    that takes ``cues``. In the file's metadata are the nodes that give the estimates of the steps,
    ``joints_step_0`` (the lifter alone) to ``joints_step_K``, ``root_step_...``, and what PyTorch
    makes of a few people, for ``runtime/self_test.py``.

    precision  a key of ``PRECISIONS``: the networks' numbers; all others, inputs and outputs
               included, are float32
    Raises ArtifactError, and writes nothing, unless ONNX Runtime's poses equal PyTorch's.
    """
    if precision not in PRECISIONS:
        raise InputError(f"unknown precision '{precision}'; choose one of {', '.join(PRECISIONS)}")
    model, artifact = load_model(checkpoint)
    if model.config.root == "given":
        raise ArtifactError(
            f"{checkpoint} needs the true root, which no robot has; train it with another root"
        )
    described = replace(artifact, precision=precision)
    proto = _with_contract(_to_onnx(PRECISIONS[precision](model)), described, _golden(model))
    content = with_digest(proto.SerializeToString())
    if len(content) > LARGEST_FILE:
        raise ArtifactError(
            f"{out} would have {len(content)} bytes, at most {LARGEST_FILE} may ship; "
            "train a smaller model"
        )
    difference, allowed = largest_difference(model, content), LARGEST_DIFFERENCE[precision]
    if not difference <= allowed:
        raise ArtifactError(
            f"ONNX Runtime's poses differ from PyTorch's by {difference:.2g} m, at most "
            f"{allowed} m is allowed; {out} was not written"
        )
    write_atomically(out, content)
    return {"bytes": len(content), "largest_difference_m": difference}


def _golden(model: ErdModel) -> Golden:
    """What the model makes of a few people; a ray that is not seen stands as 0."""
    people = tuple(
        np.nan_to_num(array, nan=0, posinf=np.inf)
        for array in _people(model, _GOLDEN_PERSONS, _GOLDEN_SEED)
    )
    with torch.no_grad():
        outputs = [one.numpy() for one in model(*map(torch.from_numpy, people))]
    return Golden(
        dict(zip(_INPUTS, people, strict=False)), dict(zip(_OUTPUTS, outputs, strict=False))
    )


def largest_difference(model: ErdModel, content: bytes) -> float:
    """Largest difference in metres of joints and roots over several batches, joints missing."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    largest = 0.0
    for seed, size in enumerate(_BATCH_SIZES):
        people = _people(model, size, seed)
        with torch.no_grad():
            expected = model(*map(torch.from_numpy, people))
        given = session.run(_OUTPUTS[:2], dict(zip(_INPUTS, people, strict=False)))
        for one, other in zip(expected, given, strict=False):  # the residual is not metres
            # NaN must count as a difference: np.max hands it on.
            largest = float(np.max([largest, np.abs(one.numpy() - other).max()]))
    return largest


def _people(model: ErdModel, size: int, seed: int) -> tuple[FloatArray, ...]:
    """Rays, confidence and, where the model takes them, cues of people about the mean pose.

    They are 2 to 6 m away, and a fifth of their joints is missing.

    Keypoints at random would not do: they are no person's, and the root of what a network makes of
    them is so ill determined that the rounding of float32 alone moves it by more than is allowed.
    """
    generator = np.random.default_rng(seed)
    joints = len(model.skeleton)
    direction = np.append(generator.uniform(-0.3, 0.3, (size, 2)), np.ones((size, 1)), 1)
    root = direction * generator.uniform(2, 6, (size, 1))
    # The root's own place among the means holds other numbers; poses in sizes become metres.
    mean = (model.pose_mean * model.not_itself)[0].numpy() * (_SIZE if model.sizings else 1)
    poses = mean + generator.normal(0, 0.1, (size, joints, 3))
    points = poses + root[:, None]
    rays = points[..., :2] / points[..., 2:]
    confidence = generator.uniform(0.3, 1, (size, joints))
    confidence[generator.random((size, joints)) < 0.2] = 0
    rays[confidence == 0] = np.nan
    people = rays.astype(np.float32), confidence.astype(np.float32)
    return (*people, _cues(root[:, 2], generator)) if model.sizings else people


def _cues(depth: FloatArray, generator: np.random.Generator) -> FloatArray:
    """Cues that are right, each absent for a third of the people."""
    rows = []
    for one in depth:
        size, height, pelvis = np.where(generator.random(3) < 1 / 3, np.inf, 0.05)
        cues = Cues(_SIZE, size, (0.0, -1.0, 0.0), 0.9, height, 0.01, float(one), pelvis)
        rows.append(cues.row())
    return np.stack(rows)


def _to_onnx(model: ErdModel) -> onnx.ModelProto:
    """The graph with every step as an output; batch normalisation goes into the layers before."""
    steps = range(len(model.regressors) + 1)
    names = [f"{what}_step_{step}" for step in steps for what in ("joints", "root")]
    example = tuple(torch.from_numpy(array) for array in _people(model, 3, 0))
    batch = torch.export.Dim("N", min=1)
    with _quiet():
        program = torch.onnx.export(
            _Exported(model).eval(),
            example,
            input_names=list(_INPUTS[: len(example)]),
            output_names=[*names, *_OUTPUTS[2 : 5 if model.sizings else 3]],
            dynamic_shapes=({0: batch},) * len(example),
            opset_version=OPSET,
            dynamo=True,
            optimize=True,
        )
    assert program is not None  # with dynamo it never is
    proto: onnx.ModelProto = program.model_proto
    # The exporter notes where in the sources things come from: paths of this machine, in fields
    # that the older format does not have.
    graph = proto.graph
    del graph.metadata_props[:]
    for part in (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.ClearField("doc_string")
    simplify(graph)
    return proto


def _with_contract(
    proto: onnx.ModelProto, artifact: Artifact, reference: Golden
) -> onnx.ModelProto:
    """Make the last step's values the outputs joints and root, and add what is known of the model.

    What only the steps before it need goes into the description: a runtime would work it out.
    """
    graph = proto.graph
    kinds = {output.name: output for output in graph.output}
    for name in _OUTPUTS[:2]:
        last = f"{name}_step_{artifact.steps}"
        graph.node.append(helper.make_node("Identity", [last], [name], name=name))
        kinds[name] = onnx.ValueInfoProto()
        kinds[name].CopyFrom(kinds[last])
        kinds[name].name = name
    del graph.output[:]
    graph.output.extend(kinds[name] for name in _OUTPUTS if name in kinds)
    steps = split_off(graph, [value for name, value in kinds.items() if name not in _OUTPUTS])
    del proto.metadata_props[:]
    metadata = {
        METADATA_KEY: artifact.to_json(),
        STEPS_KEY: base64.b64encode(steps.SerializeToString()).decode(),
        golden.METADATA_KEY: reference.to_json(),
    }
    helper.set_model_props(proto, metadata)
    proto.ir_version = IR_VERSION
    onnx.checker.check_model(proto, full_check=True)
    return proto


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's progress lines and warnings, none of which a caller can act on."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
