"""The files of weights that ship: where they come from, and that they are what they were."""

import hashlib
import os
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from erd_ros.runtime.detectors.graphs import WEIGHTS

ROOT = Path(__file__).parents[1]
ORIGINALS = Path(os.environ.get("ERD_DATA", ROOT.parent / "shared")) / "weights"
SHIPPED = ("movenet_multipose_heads", "blazepose_landmark_heavy")
NOTICE = (WEIGHTS / "NOTICE").read_text()


def session(file):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(file), options)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_notice_names_each_file_by_its_digest(name):
    digest = hashlib.sha256((WEIGHTS / f"{name}.onnx").read_bytes()).hexdigest()
    section = NOTICE.split(f"{name}.onnx\n")[1].split("\n\n")[0]
    assert f"SHA-256 {digest}" in section
    assert "Apache License 2.0" in section


@pytest.mark.parametrize("name", SHIPPED)
def test_each_file_says_where_it_comes_from(name):
    said = session(WEIGHTS / f"{name}.onnx").get_modelmeta().custom_metadata_map
    assert (said["kind"], said["license"]) == (name, "Apache-2.0")
    assert "npm package @" in said["source"]
    assert "scripts/convert_detectors.py" in said["changes"]


@pytest.mark.parametrize("name", SHIPPED)
def test_each_file_computes_what_an_independent_conversion_does(name):
    """Another conversion of the same originals, checked against their own runtimes."""
    other = ORIGINALS / f"{name}.onnx"
    if not other.is_file():
        pytest.skip(f"{other} is not there")
    ours, theirs = session(WEIGHTS / f"{name}.onnx"), session(other)
    random = np.random.default_rng(0)
    image = np.kron(random.random((1, 8, 8, 3)), np.ones((1, 32, 32, 1)))
    if "int32" in ours.get_inputs()[0].type:
        image *= 255
    kinds = {"tensor(int32)": np.int32, "tensor(float)": np.float32}
    image = image.astype(kinds[ours.get_inputs()[0].type])
    got = ours.run(None, {"image": image})
    expected = theirs.run(None, {theirs.get_inputs()[0].name: image})
    for array in got:
        like = [one for one in expected if one.shape == array.shape]
        assert min(np.abs(array - one).max() for one in like) < 1e-3 * max(np.abs(array).max(), 1)
