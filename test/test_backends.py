"""The same tests over every backend, then what is particular to one."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from tiny_onnx import FIGURE, write_tiny_onnx

from erd_ros.artifact import METADATA_KEY, Artifact
from erd_ros.errors import ArtifactError, BackendError, InputError
from erd_ros.runtime import BACKENDS, DEFAULT_MODEL, load
from erd_ros.skeleton import COCO17, H36M17, Skeleton

ROOT = Path(__file__).parents[1]
OUTPUTS = ("joints", "root", "residual")


def people(persons, seed=0):
    """Rays (N, 17, 2) of upright figures 2 to 8 m away, one joint in five missing."""
    generator = np.random.default_rng(seed)
    root = generator.uniform((-1, -0.5, 2), (1, 0.5, 8), (persons, 3))
    points = FIGURE + root[:, None] + generator.normal(0, 0.03, (persons, 17, 3))
    confidence = generator.uniform(0.3, 1, (persons, 17)) * (generator.random((persons, 17)) < 0.8)
    return (points[..., :2] / points[..., 2:]).astype(np.float32), confidence.astype(np.float32)


@pytest.fixture(scope="session")
def model_files(tmp_path_factory):
    """The same untrained model as a file for each backend."""
    return {".onnx": write_tiny_onnx(tmp_path_factory.mktemp("models") / "model.onnx")}


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


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.95])
def test_a_truncated_file_is_named(model_file, tmp_path, kept):
    whole = model_file.read_bytes()
    part = tmp_path / f"part{model_file.suffix}"
    part.write_bytes(whole[: kept if isinstance(kept, int) else int(len(whole) * kept)])
    with pytest.raises(ArtifactError, match=f"part{model_file.suffix}.*copy it again"):
        load(part)


@pytest.mark.parametrize("suffix", BACKENDS)
def test_a_file_of_anything_else_is_named(tmp_path, suffix):
    letter = tmp_path / f"letter{suffix}"
    letter.write_text("Dear model, " * 1000)
    with pytest.raises(ArtifactError, match=rf"letter\{suffix}"):
        load(letter)


@pytest.mark.parametrize("suffix", BACKENDS)
def test_a_missing_file_names_the_one_that_ships(tmp_path, suffix):
    with pytest.raises(ArtifactError, match=rf"none\{suffix} does not exist.*linear_erd\.onnx"):
        load(tmp_path / f"none{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(ArtifactError, match=rf"folder\{suffix}"):
        load(tmp_path / f"folder{suffix}")


def test_an_unknown_suffix_lists_the_choices(tmp_path):
    with pytest.raises(ArtifactError, match=r"no backend reads '\.pt' files; choose one of \.onnx"):
        load(tmp_path / "model.pt")


def test_the_tiny_graph_gives_its_known_answer(tmp_path):
    backend = load(write_tiny_onnx(tmp_path / "tiny.onnx", depth=4.0))
    rays, confidence = people(5)
    confidence[:, 0] = 1
    outputs = backend(rays, confidence)
    np.testing.assert_allclose(outputs.joints, np.broadcast_to(FIGURE, (5, 17, 3)))
    ones = np.ones((5, 1), np.float32)
    np.testing.assert_allclose(outputs.root, 4 * np.concatenate([rays[:, 0], ones], 1), rtol=1e-6)


def test_a_foreign_onnx_is_named(tmp_path):
    foreign = write_tiny_onnx(tmp_path / "foreign.onnx", metadata={"author": "somebody"})
    with pytest.raises(ArtifactError, match=r"foreign\.onnx is not a model of erd_ros"):
        load(foreign)


def test_a_graph_that_contradicts_its_description_is_named(tmp_path):
    three = Skeleton("three", ("pelvis", "left_hip", "right_hip"), (-1, 0, 0))
    liar = write_tiny_onnx(tmp_path / "liar.onnx", skeleton=three)
    with pytest.raises(ArtifactError, match=r"liar\.onnx.*\[17, 2\].*3 joints"):
        load(liar)


def test_a_graph_without_its_outputs_is_named(tmp_path):
    model = onnx.load(str(write_tiny_onnx(tmp_path / "tiny.onnx")))
    del model.graph.output[2]
    onnx.save(model, str(tmp_path / "less.onnx"))
    with pytest.raises(ArtifactError, match=r"less\.onnx.*gives \['joints', 'root'\].*residual"):
        load(tmp_path / "less.onnx")


def test_a_model_of_another_layout_runs_in_its_own(tmp_path):
    figure = np.zeros((17, 3))
    other = Artifact("other", COCO17, 0)
    metadata = {METADATA_KEY: other.to_json()}
    backend = load(write_tiny_onnx(tmp_path / "c.onnx", figure=figure, metadata=metadata))
    assert backend.info == other


@pytest.mark.skipif(not DEFAULT_MODEL.is_file(), reason="the shipped model is not there")
def test_the_shipped_model_places_real_people(tmp_path):
    """Its metres must make sense on bodies whose place is known, without any training data."""
    backend = load(DEFAULT_MODEL)
    assert DEFAULT_MODEL.stat().st_size < 20e6
    rays, confidence = people(64)
    outputs = backend(rays, np.ones_like(confidence))
    assert np.isfinite(outputs.joints).all()
    heights = np.ptp(outputs.joints[:, :, 1], axis=1)
    assert (heights > 1.2).all()
    assert (heights < 2.1).all()
    assert (outputs.root[:, 2] > 1).all()
    assert (outputs.root[:, 2] < 10).all()


def python(code):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_no_torch(tmp_path):
    """The robot arm, loaded and run, has not imported torch."""
    model = write_tiny_onnx(tmp_path / "tiny.onnx")
    result = python(f"""
import sys
import numpy as np
import erd_ros.runtime.tracker, erd_ros.runtime.detectors
from erd_ros.geometry.camera import Camera
from erd_ros.pose import Keypoints2D
from erd_ros.runtime import load
from erd_ros.runtime.estimator import Estimator
estimator = Estimator(load({str(model)!r}))
pixels = np.random.default_rng(0).uniform(100, 400, (2, 17, 2))
keypoints = Keypoints2D(estimator.skeleton, pixels, np.ones((2, 17)))
camera = Camera(640, 480, [[600, 0, 320], [0, 600, 240], [0, 0, 1]])
assert np.isfinite(estimator.estimate(keypoints, camera).root_in_camera).all()
heavy = {{"torch", "safetensors", "onnx", "onnxscript", "mediapipe"}} & set(sys.modules)
assert not heavy, heavy
""")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("package", "suffix"), [("onnxruntime", ".onnx"), ("torch", ".safetensors")]
)
def test_a_missing_package_is_named_with_the_way_to_get_it(tmp_path, package, suffix):
    model = tmp_path / f"model{suffix}"
    model.write_bytes(b"")
    result = python(f"""
import sys
sys.modules[{package!r}] = None  # what Python itself does to forbid an import
from erd_ros.errors import BackendError
from erd_ros.runtime import load
try:
    load({str(model)!r})
except BackendError as error:
    print(error)
""")
    assert "pip install" in result.stdout, result.stderr
