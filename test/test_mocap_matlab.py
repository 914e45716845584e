"""MATLAB's files: as scipy reads them, and nothing ends Python."""

import numpy as np
import pytest
import scipy.io

from erd_ros.errors import InputError
from erd_ros.mocap.matlab import read_first_arrays

NAMES = ("annot3", "cameras")


def content(kind="f8"):
    cells = np.empty((3, 1), object)
    for camera in range(3):
        cells[camera, 0] = (100 * np.random.default_rng(camera).normal(size=(4, 84))).astype(kind)
    return {"frames": np.arange(4), "annot3": cells, "cameras": np.array([[2, 0, 1]], np.uint8)}


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", ["f8", "f4", "i2", "u1"])
def test_arrays_are_those_that_scipy_reads(tmp_path, kind, compressed):
    path = tmp_path / "annot.mat"
    scipy.io.savemat(path, content(kind), do_compression=compressed)
    ours, theirs = read_first_arrays(path, NAMES), scipy.io.loadmat(path)
    np.testing.assert_array_equal(ours["annot3"], theirs["annot3"][0, 0])
    np.testing.assert_array_equal(ours["cameras"], theirs["cameras"])
    assert set(ours) == set(NAMES)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_changed_byte_is_an_error_or_another_number(tmp_path, compressed):
    """Of 6,000 such changes ten ended Python in scipy by signal 11."""
    path = tmp_path / "annot.mat"
    scipy.io.savemat(path, content(), do_compression=compressed)
    whole = path.read_bytes()
    refused = 0
    generator = np.random.default_rng(0)
    for at in generator.integers(len(whole), size=400).tolist() + list(range(124, 400)):
        changed = bytearray(whole)
        changed[at] = int(generator.integers(256))
        path.write_bytes(bytes(changed))
        try:
            read_first_arrays(path, NAMES)
        except InputError:
            refused += 1
    assert refused > (400 if compressed else 30)  # what is compressed has a checksum
    path.write_bytes(whole[:-5])
    if compressed:
        with pytest.raises(InputError, match="cannot be read"):
            read_first_arrays(path, NAMES)


def test_other_files_are_named(tmp_path):
    path = tmp_path / "a.mat"
    for wrong, message in (
        ({"annot3": "text", "cameras": [1]}, "class 4, expected numbers or cells"),
        ({"annot3": np.ones(2) * 1j, "cameras": [1]}, "complex numbers"),
        ({"annot3": np.empty((0, 1), object), "cameras": [1]}, "'annot3' has no cell"),
    ):
        scipy.io.savemat(path, wrong)
        with pytest.raises(InputError, match=message):
            read_first_arrays(path, NAMES)
    scipy.io.savemat(path, {"other": 1})
    assert read_first_arrays(path, NAMES) == {}
    path.write_bytes(b"no file of MATLAB")
    with pytest.raises(InputError, match="no MATLAB file of version 5 to 7"):
        read_first_arrays(path, NAMES)
