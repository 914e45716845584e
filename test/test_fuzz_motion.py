"""Readers of motion and of 2D errors against files changed at random: answers or InputError."""

import pickle
import struct
import zipfile

import numpy as np
import pytest
from test_mocap_npz_objects import write_pickle

from benchmark.fuzz_motion import READERS, fuzz, try_reader, write_seeds
from erd_ros.errors import InputError
from erd_ros.mocap.archive import read_clips
from erd_ros.mocap.npz_objects import read_npz_object
from erd_ros.mocap.options import read_actions, read_recipes


def test_nothing_but_input_errors_escapes(tmp_path):
    pytest.importorskip("torch", reason="PyTorch is not installed: no error models here")
    found = fuzz(tmp_path, 40 * len(READERS), seed=7)
    assert not found, "\n".join(
        f"{wrong}\n{content[:200]!r}" for wrong, (_, content) in found.items()
    )


def test_a_yaml_file_that_names_itself_a_billion_times_is_short_to_say(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 8)}]" for i in range(1, 12)]
    (tmp_path / "a.yaml").write_text("\n".join([*lines, "thorax: *a11"]))
    for reader in (read_actions, read_recipes):
        with pytest.raises(InputError) as caught:
            reader(tmp_path / "a.yaml")
        assert len(str(caught.value)) < 1000
    (tmp_path / "a.yaml").write_text("a: " + "[" * 20_000)
    with pytest.raises(InputError, match=r"a\.yaml"):
        read_actions(tmp_path / "a.yaml")


def test_names_in_yaml_stay_text(tmp_path):
    """`33_01` without quotes is the number 3301 in YAML 1.1, and 07 is 7."""
    (tmp_path / "a.yaml").write_text("33_01: walk\n07: on\n")
    assert read_actions(tmp_path / "a.yaml") == {"33_01": "walk", "07": "on"}


def test_a_header_that_promises_more_than_the_file_has(tmp_path):
    write_seeds(tmp_path)
    with np.load(tmp_path / "clips.npz") as arrays:
        content = dict(arrays)
    header = {"descr": "<f4", "fortran_order": False, "shape": (10**12, 17, 3)}
    np.savez(tmp_path / "a.npz", **{k: v for k, v in content.items() if k != "positions"})
    with (
        zipfile.ZipFile(tmp_path / "a.npz", "a") as archive,
        archive.open("positions.npy", "w") as f,
    ):
        np.lib.format.write_array_header_1_0(f, header)
    with pytest.raises(InputError, match=r"shape \(1000000000000, 17, 3\) with bytes for another"):
        read_clips(tmp_path / "a.npz")
    for name, wrong in {
        "clip_id": np.full(6, -1, np.int32),
        "positions": np.ones((6, 17, 3), complex),
        "clip_name": np.arange(2),
        "fps": np.array("fast"),
    }.items():
        np.savez(tmp_path / "a.npz", **(content | {name: wrong}))
        with pytest.raises(InputError, match=r"a\.npz"):
            read_clips(tmp_path / "a.npz")


def test_tuples_in_tuples_as_a_key_do_not_end_python(tmp_path):
    nested = b"}(" + b")" + b"\x85" * 2_000_000 + b"K\x01u."
    write_pickle(tmp_path / "a.npz", b"\x80\x03" + nested)
    with pytest.raises(InputError, match="more than 20000 tuples"):
        read_npz_object(tmp_path / "a.npz", "content")
    write_pickle(tmp_path / "a.npz", pickle.dumps({1, 2}, 4))
    with pytest.raises(InputError, match="has the instruction EMPTY_SET"):
        read_npz_object(tmp_path / "a.npz", "content")


def test_a_mat_that_swells_is_not_unpacked(tmp_path):
    """A small file may not ask for more than it can hold."""
    write_seeds(tmp_path)
    whole = bytearray((tmp_path / "plain.mat").read_bytes())
    whole[132:136] = struct.pack("<I", 0xFFFFFFF0)
    assert try_reader("plain.mat", tmp_path, bytes(whole)) is None
