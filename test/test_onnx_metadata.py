"""The description is read without an ONNX library, as that library reads it."""

import pytest
from tiny_onnx import write_tiny_onnx

from erd_ros.errors import ArtifactError
from erd_ros.runtime import DEFAULT_MODEL
from erd_ros.runtime.onnx_metadata import read_metadata

onnx = pytest.importorskip("onnx", reason="onnx is not installed: nothing to compare with")


def test_equals_what_onnx_reads(tmp_path):
    for path in (DEFAULT_MODEL, write_tiny_onnx(tmp_path / "tiny.onnx")):
        expected = {one.key: one.value for one in onnx.load(str(path)).metadata_props}
        assert expected
        assert read_metadata(path.read_bytes(), "test") == expected


def test_any_text_comes_back(tmp_path):
    metadata = {"umlaut": "Schlüssel", "empty": "", "long": "x" * 100_000}
    path = write_tiny_onnx(tmp_path / "tiny.onnx", metadata=metadata)
    assert read_metadata(path.read_bytes(), "test") == metadata


@pytest.mark.parametrize(
    "content", [b"not a model", b"\xff" * 40, b"\x08", b"PK\x03\x04" + b"\0" * 30]
)
def test_what_is_no_onnx_file_is_refused(content):
    with pytest.raises(
        ArtifactError, match=r"thefile \(\d+ bytes\) is not an ONNX file.*truncated"
    ):
        read_metadata(content, "thefile")


def test_a_truncated_file_is_refused():
    content = DEFAULT_MODEL.read_bytes()
    with pytest.raises(ArtifactError, match="truncated"):
        read_metadata(content[: len(content) // 2], "half")
