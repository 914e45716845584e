"""The same tests over every backend, then what is particular to one."""

import hashlib

import numpy as np
import pytest
from tiny_onnx import FIGURE, people, write_tiny_onnx
from untrained import write_models

from erd_ros.cues import Cues
from erd_ros.errors import BackendError, InputError
from erd_ros.runtime import BACKENDS, load
from erd_ros.skeleton import H36M17

OUTPUTS = ("joints", "root", "residual")


@pytest.fixture(params=BACKENDS)
def model_file(request, model_files):
    if request.param not in model_files:
        pytest.skip(f"no {request.param} file")
    return model_files[request.param]


@pytest.fixture
def backend(model_file):
    return load(model_file)


def assert_equal(outputs, expected, atol=1e-5):
    for name in OUTPUTS:
        np.testing.assert_allclose(getattr(outputs, name), getattr(expected, name), atol=atol)


def test_it_says_what_it_is(backend, model_file):
    assert backend.name in ("onnxruntime", "torch")
    assert backend.device == "cpu"
    assert backend.precision == backend.info.precision == "float32"
    assert backend.info.skeleton == H36M17
    assert backend.sha256 == hashlib.sha256(model_file.read_bytes()).hexdigest()


@pytest.mark.parametrize("persons", [1, 2, 7, 64])
def test_a_batch_is_its_persons_one_by_one(backend, persons):
    rays, confidence = people(persons)
    outputs = backend(rays, confidence)
    assert outputs.joints.shape == (persons, 17, 3)
    assert outputs.root.shape == (persons, 3)
    assert outputs.residual.shape == (persons, 17)
    for name in OUTPUTS:
        array = getattr(outputs, name)
        assert array.dtype == np.float32
        singly = [
            getattr(backend(rays[i : i + 1], confidence[i : i + 1]), name) for i in range(persons)
        ]
        np.testing.assert_allclose(array, np.concatenate(singly), atol=1e-5)


def test_nobody_is_a_batch_too(backend):
    outputs = backend(np.zeros((0, 17, 2)), np.zeros((0, 17)))
    assert outputs.joints.shape == (0, 17, 3)
    assert outputs.root.shape == (0, 3)
    assert outputs.residual.shape == (0, 17)


def test_any_kind_of_number_will_do(backend):
    rays, confidence = people(3)
    expected = backend(rays, confidence)
    assert_equal(backend(rays.astype(np.float64), confidence.astype(np.float64)), expected)
    assert_equal(backend(rays.tolist(), confidence.tolist()), expected)
    fortran = np.asfortranarray(rays), np.asfortranarray(confidence)
    assert_equal(backend(*fortran), expected)
    twice = np.repeat(rays, 2, axis=0)[::2], np.repeat(confidence, 2, axis=0)[::2]
    assert not twice[0].flags.c_contiguous
    assert_equal(backend(*twice), expected)


@pytest.mark.parametrize("persons", [1, 2, 7, 64])
def test_the_same_model_gives_the_same_answer_everywhere(model_files, persons):
    if len(model_files) < 2:
        pytest.skip("PyTorch is not installed: there is only one backend to ask")
    rays, confidence = people(persons, seed=persons)
    first, *others = (load(file)(rays, confidence) for file in model_files.values())
    assert np.ptp(first.root[:, 2]) > 0 or persons == 1  # the model does look at its input
    for other in others:
        assert_equal(other, first, atol=1e-5)


@pytest.mark.parametrize("anything", [np.nan, np.inf, -np.inf, 1e30])
def test_the_ray_of_an_unseen_joint_may_be_anything(backend, anything):
    rays, confidence = people(4)
    expected = backend(np.where(confidence[..., None] > 0, rays, 0), confidence)
    outputs = backend(np.where(confidence[..., None] > 0, rays, anything), confidence)
    assert_equal(outputs, expected, atol=0)
    assert np.isfinite(outputs.joints).all()


def test_a_ray_that_is_not_finite_is_missing_whatever_its_confidence(backend):
    rays, confidence = people(4)
    unseen = confidence.copy()
    unseen[1, 5] = 0
    rays[1, 5] = (np.nan, 0.1)
    confidence[1, 5] = 0.9
    assert_equal(backend(rays, confidence), backend(rays, unseen), atol=0)


def test_confidence_outside_its_range_is_taken_as_its_end(backend):
    rays, confidence = people(2)
    confidence[0, 0], confidence[1, 1], confidence[1, 2] = 1, 0, 0
    expected = backend(rays, confidence)
    confidence[0, 0], confidence[1, 1], confidence[1, 2] = 7, -1, np.nan
    assert_equal(backend(rays, confidence), expected, atol=0)


def test_inputs_are_left_as_they_were(backend):
    rays, confidence = people(2)
    rays[0, 0] = np.nan
    kept = rays.copy(), confidence.copy()
    backend(rays, confidence)
    np.testing.assert_array_equal(rays, kept[0])
    np.testing.assert_array_equal(confidence, kept[1])


@pytest.mark.parametrize(
    ("rays", "confidence", "message"),
    [
        (np.zeros((2, 16, 2)), np.zeros((2, 16)), r"\(2, 16, 2\), expected \(N, 17, 2\)"),
        (np.zeros((2, 17, 3)), np.zeros((2, 17)), r"\(2, 17, 3\), expected \(N, 17, 2\)"),
        (np.zeros((17, 2)), np.zeros(17), r"\(17, 2\), expected \(N, 17, 2\)"),
        (np.zeros((2, 17, 2)), np.zeros((1, 17)), r"shape \(1, 17\), expected \(2, 17\)"),
        (np.zeros((2, 17, 2)), np.zeros((2, 17, 1)), r"\(2, 17, 1\), expected \(2, 17\)"),
        ([["a"]], [[1]], "arrays of numbers"),
        ([[1], [2, 3]], [[1]], "arrays of numbers"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(backend, rays, confidence, message):
    with pytest.raises(InputError, match=message):
        backend(rays, confidence)


def test_more_threads_change_nothing(model_file):
    rays, confidence = people(64)
    one, two = load(model_file, threads=1), load(model_file, threads=2)
    assert_equal(one(rays, confidence), two(rays, confidence))
    with pytest.raises(InputError, match="threads is 0, expected 1"):
        load(model_file, threads=0)


def test_an_unknown_device_is_refused_never_replaced(model_file):
    with pytest.raises(BackendError, match=r"device 'gpu9' is not available.*choose one of cpu"):
        load(model_file, device="gpu9")


def test_pytorch_without_a_graphics_processor_says_so(model_files):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    if torch.cuda.is_available():
        pytest.skip("there is a graphics processor")
    with pytest.raises(BackendError, match=r"sees no CUDA device; choose device cpu"):
        load(model_files[".safetensors"], device="cuda")


def test_the_tiny_graph_gives_its_known_answer(tmp_path):
    backend = load(write_tiny_onnx(tmp_path / "tiny.onnx", depth=4.0))
    rays, confidence = people(5)
    confidence[:, 0] = 1
    outputs = backend(rays, confidence)
    np.testing.assert_allclose(outputs.joints, np.broadcast_to(FIGURE, (5, 17, 3)))
    ones = np.ones((5, 1), np.float32)
    np.testing.assert_allclose(outputs.root, 4 * np.concatenate([rays[:, 0], ones], 1), rtol=1e-6)


@pytest.fixture(scope="module")
def files_with_cues(tmp_path_factory):
    pytest.importorskip("torch", reason="PyTorch is not installed: nothing to export")
    return write_models(tmp_path_factory.mktemp("cues"), root="cues")


@pytest.fixture(params=BACKENDS)
def with_cues(request, files_with_cues):
    return load(files_with_cues[request.param])


def cues_of(persons, **values):
    return np.tile(Cues(**values).row(), (persons, 1))


def test_absent_cues_are_as_none(with_cues):
    rays, confidence = people(4)
    assert with_cues.takes_cues
    none = with_cues(rays, confidence)
    assert_equal(with_cues(rays, confidence, cues_of(4, size=3.0, depth=9.0)), none, atol=0)
    assert none.size.shape == (4, 4)
    assert none.sigma.shape == (4,)
    assert (none.sigma > 0).all()


def test_a_known_depth_decides_it(with_cues):
    rays, confidence = people(4)
    near, far = (
        with_cues(rays, confidence, cues_of(4, depth=depth, depth_deviation=1e-3))
        for depth in (2.0, 4.0)
    )
    np.testing.assert_allclose(near.root[:, 2], 2, atol=0.01)
    np.testing.assert_allclose(far.root[:, 2], 4, atol=0.01)
    assert (far.size[:, 0] > near.size[:, 0]).all()


def test_what_the_image_alone_measures_of_the_size(with_cues):
    rays, confidence = people(4)
    none = with_cues(rays, confidence)
    np.testing.assert_allclose(none.size[:, 2], none.size[:, 0])
    np.testing.assert_allclose(none.size[:, 3], 100)
    ground = cues_of(4, camera_height=0.9, camera_height_deviation=0.02)
    assert (with_cues(rays, confidence, ground).size[:, 3] < 10).all()


def test_backends_agree_about_cues(files_with_cues):
    rays, confidence = people(7)
    cues = cues_of(7, size=1.5, size_deviation=0.02, camera_height_deviation=0.02)
    one, other = (load(file)(rays, confidence, cues) for file in files_with_cues.values())
    assert_equal(one, other, atol=1e-5)
    # What the image alone says of the size may be metres off, to so many digits.
    np.testing.assert_allclose(one.size, other.size, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(one.sigma, other.sigma, atol=1e-5)


def test_nobody_has_no_size(with_cues):
    nobody = with_cues(np.zeros((0, 17, 2)), np.zeros((0, 17)), np.zeros((0, 10)))
    assert nobody.size.shape == (0, 4)
    assert nobody.sigma.shape == (0,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda cues: cues[:1], r"shape \(1, 10\), expected \(2, 10\)"),
        (lambda cues: np.where(np.isinf(cues), -1, cues), "variance is negative or NaN"),
        (lambda cues: np.where(np.isinf(cues), np.nan, cues), "variance is negative or NaN"),
        (lambda cues: np.where(cues == 3, np.nan, cues), "value is not finite"),
    ],
)
def test_cues_that_mean_nothing_are_refused(with_cues, change, message):
    with pytest.raises(InputError, match=message):
        with_cues(*people(2), change(cues_of(2)))


def test_a_model_without_cues_refuses_them(backend):
    assert not backend.takes_cues
    assert backend(*people(2)).size is None
    with pytest.raises(InputError, match="takes no cues"):
        backend(*people(2), cues_of(2))


def test_tensorrt_inside_onnx_runtime_answers_in_runs(model_files, tmp_path, monkeypatch):
    """All but the provider, for which that of the CPU stands."""
    from erd_ros.runtime import onnx_tensorrt_backend as module

    monkeypatch.setenv("ROS_HOME", str(tmp_path))
    file = model_files[".onnx"]
    with pytest.raises(BackendError, match="has no TensorrtExecutionProvider for device 'cuda'"):
        load(file, "cuda", backend="onnxruntime_tensorrt")
    start = module.start_session
    of_the_cpu = [module.PROVIDERS["cpu"]]
    monkeypatch.setattr(
        module,
        "start_session",
        lambda model, path, device, _: start(model, path, "cpu", of_the_cpu),
    )
    backend = load(file, "cuda", backend="onnxruntime_tensorrt", max_persons=4)
    assert (backend.name, backend.device) == ("onnxruntime_tensorrt", "cuda")
    assert_equal(backend(*people(11)), load(file)(*people(11)))


def test_engines_of_onnx_runtime_are_kept_only_where_nobody_else_writes(tmp_path, monkeypatch):
    from erd_ros.runtime.onnx_tensorrt_backend import options

    monkeypatch.setenv("ROS_HOME", str(tmp_path))
    kept = options("mixed_float16")
    assert kept["trt_engine_cache_path"].startswith(str(tmp_path))
    assert (kept["trt_fp16_enable"], options("float32")["trt_fp16_enable"]) == ("1", "0")
    (tmp_path / "erd_ros" / "onnxruntime").chmod(0o777)
    assert "trt_engine_cache_enable" not in options("float32")
