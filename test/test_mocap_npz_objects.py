"""Pickled dictionaries of arrays are read; whatever else a pickle asks for is refused."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from erd_ros.errors import InputError
from erd_ros.mocap.npz_objects import read_npz_object


def write_object(path, value, protocol=3, name="content"):
    """As np.savez does: an object array of no dimensions, pickled. numpy 1.16 used protocol 2."""
    array = np.empty((), object)
    array[()] = value
    write_pickle(path, pickle.dumps(array, protocol), name)


def write_pickle(path, pickled, name="content"):
    file = io.BytesIO()
    header = {"descr": "|O", "fortran_order": False, "shape": ()}
    np.lib.format.write_array_header_1_0(file, header)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.npy", file.getvalue() + pickled)


def same(one, other):
    if isinstance(one, dict):
        assert list(one) == list(other)
        return all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        assert type(one) is type(other)
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray):
        assert (one.dtype, one.shape) == (other.dtype.newbyteorder("="), other.shape)
        return np.array_equal(one, other)
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_dictionaries_of_arrays_come_back(tmp_path, protocol):
    generator = np.random.default_rng(0)
    shared = generator.normal(size=(4, 2))
    value = {
        "S1": {"Walk 1": generator.normal(size=(3, 5, 3)).astype(np.float32), "Sit": shared},
        "metadata": {"left": [1, 2], "pair": (3, "four"), "none": None, "share": 0.5, "on": True},
        "types": [np.array([0, 1], dtype) for dtype in ("i4", "<u2", ">f8", "f2", "?", "i1")],
        "columns": np.asfortranarray(generator.normal(size=(3, 4))),
        "empty": np.empty((0, 17, 2), np.float32),
        "cameras": [shared, shared, shared[::2]],
        "bytes": b"\x00\xff",
        "nothing": b"",
    }
    write_object(tmp_path / "a.npz", value, protocol)
    assert same(read_npz_object(tmp_path / "a.npz", "content"), value)


def test_what_numpy_itself_saves_comes_back(tmp_path):
    value = {"S1": {"Walk": np.ones((2, 3))}, "count": np.int64(3)}
    np.savez_compressed(tmp_path / "a.npz", positions_3d=value, metadata={"layout_name": "h36m"})
    back = read_npz_object(tmp_path / "a.npz", "positions_3d")
    np.testing.assert_array_equal(back["S1"]["Walk"], np.ones((2, 3)))
    assert int(back["count"]) == 3
    assert read_npz_object(tmp_path / "a.npz", "metadata") == {"layout_name": "h36m"}


def test_arrays_of_objects_come_back_as_lists(tmp_path):
    ragged = np.empty(2, object)
    ragged[:] = [np.ones(2), np.zeros(3)]
    write_object(tmp_path / "a.npz", {"cameras": ragged})
    first, second = read_npz_object(tmp_path / "a.npz", "content")["cameras"]
    assert first.tolist() == [1, 1]
    assert second.tolist() == [0, 0, 0]


class Calls:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (os.system, "posix.system|nt.system"),
        (eval, "__builtin__.eval|builtins.eval"),
        (getattr, "__builtin__.getattr|builtins.getattr"),
        (np.load, "numpy.load"),
        (np.fromfile, "fromfile"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_a_pickle_that_calls_anything_is_refused(tmp_path, function, name, protocol):
    traces = tmp_path / "traces"
    command = (
        f"__import__('pathlib').Path({str(traces)!r}).touch()"
        if function is eval
        else f"touch {traces}"
    )
    write_object(tmp_path / "a.npz", {"S1": Calls(function, command)}, protocol)
    with pytest.raises(InputError, match=rf"a\.npz cannot be read: it wants .*({name}).*nothing"):
        read_npz_object(tmp_path / "a.npz", "content")
    assert not traces.exists()
    # The very same file does run where it is unpickled.
    if function in (os.system, eval):
        with np.load(tmp_path / "a.npz", allow_pickle=True) as archive:
            archive["content"]
        assert traces.exists()


def test_a_module_is_not_even_imported(tmp_path):
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    write_pickle(tmp_path / "a.npz", b"cevil\nthing\n.")
    with pytest.raises(InputError, match=r"it wants evil\.thing"):
        read_npz_object(tmp_path / "a.npz", "content")


def array_with(state):
    """A pickle that sets ``state`` on an array, as numpy's own do."""
    body = pickle.dumps(state, 2)[2:-1]
    head = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
    return b"\x80\x02" + head + body + b"b."


class KeepsDtype:
    """Pickles as numpy's dtype of this name, sane or not."""

    def __init__(self, name, byte_order="<"):
        self.name, self.byte_order = name, byte_order

    def __reduce__(self):
        state = (3, self.byte_order, None, None, None, -1, -1, 0)
        return np.dtype, (self.name, False, True), state


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ((1, (4,), KeepsDtype("f8"), False, b"too short"), "bytes for another"),
        ((1, (10**12,), KeepsDtype("f8"), False, b""), "bytes for another"),
        ((1, (-1, -1), KeepsDtype("f8"), False, b"8 bytes."), "negative|unknown dimension"),
        ((1, (1,), KeepsDtype("V8"), False, b"8 bytes."), "expected numbers"),
        ((1, (1,), KeepsDtype("O"), False, b"8 bytes."), "without 1 of them"),
        ((1, (1,), KeepsDtype("f8", "!"), False, b"8 bytes."), "expected numbers"),
        ((1, (1,), "f8", False, b"8 bytes."), "cannot be read"),
        ("no state", "cannot be read"),
    ],
)
def test_arrays_that_lie_about_themselves_are_refused(tmp_path, state, message):
    write_pickle(tmp_path / "a.npz", array_with(state))
    with pytest.raises(InputError, match=message):
        read_npz_object(tmp_path / "a.npz", "content")


def test_stand_ins_cannot_be_changed(tmp_path):
    changes = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n}U\x08__call__K\x01sb."
    write_pickle(tmp_path / "a.npz", changes)
    with pytest.raises(InputError, match="sets the state of a function"):
        read_npz_object(tmp_path / "a.npz", "content")


@pytest.mark.parametrize(
    ("pickled", "message"),
    [
        (b"\x80\x04Nr\xff\xff\xff\x7f.", "keeps object 2147483647 in a file that short"),
        (b"\x80\x05\x96" + (2**40).to_bytes(8, "little") + b".", "cannot be read"),
        (b"\x80\x05\x96" + (1).to_bytes(8, "little") + b"a.", "instruction PROTO|BYTEARRAY8"),
        (b"\x80\x02\x82\x01.", "instruction EXT1"),
        (b"Pname\n.", "instruction PERSID"),
        (b"(ios\nsystem\n.", "instruction INST"),
    ],
)
def test_instructions_that_no_dictionary_needs_are_refused(tmp_path, pickled, message):
    write_pickle(tmp_path / "a.npz", pickled)
    with pytest.raises(InputError, match=message):
        read_npz_object(tmp_path / "a.npz", "content")


@pytest.mark.filterwarnings("ignore:.*escape sequence")
def test_files_with_any_byte_changed_are_read_or_refused(tmp_path):
    path, generator = tmp_path / "a.npz", np.random.default_rng(0)
    write_object(path, {"S1": {"Walk": np.ones((3, 4)), "list": [1, "two", np.int64(3)]}})
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        content = archive.read("content.npy")
    refused = 0
    for _ in range(300):
        zipped, unzipped = bytearray(whole), bytearray(content)
        zipped[generator.integers(len(zipped))] = generator.integers(256)
        unzipped[generator.integers(128, len(unzipped))] = generator.integers(256)
        for changed in (zipped, unzipped):
            path.write_bytes(changed)
            if changed is unzipped:
                with zipfile.ZipFile(path, "w") as archive:
                    archive.writestr("content.npy", bytes(changed))
            try:
                read_npz_object(path, "content")
            except InputError:
                refused += 1
    assert refused > 100


def test_objects_that_hold_themselves_are_refused(tmp_path):
    loop = []
    loop.append(loop)
    write_object(tmp_path / "a.npz", {"S1": loop})
    with pytest.raises(InputError, match="holds itself"):
        read_npz_object(tmp_path / "a.npz", "content")


def test_files_that_are_broken_or_others_are_named(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(InputError, match=r"a\.npz does not exist"):
        read_npz_object(path, "content")
    np.savez(path, positions=np.ones(3))
    with pytest.raises(InputError, match="has no 'content'; it has positions"):
        read_npz_object(path, "content")
    with pytest.raises(InputError, match="an array of float64, expected one of objects"):
        read_npz_object(path, "positions")
    write_object(path, {"S1": np.ones(1000)})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"'content' of .*a\.npz cannot be read"):
        read_npz_object(path, "content")
    write_pickle(path, pickle.dumps({"S1": 1})[:-4])
    with pytest.raises(InputError, match="cannot be read"):
        read_npz_object(path, "content")
