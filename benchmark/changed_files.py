"""Files changed at random, as files are that were cut off, badly written or meant to do harm."""

import io
import zipfile
import zlib

import numpy as np

_NUMBERS = (b"0", b"-1", b"1e999", b"nan", b"-inf", b"99999999999999999999", b"1e300", b"1e-320")
_EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def mutated(content: bytes, generator: np.random.Generator) -> bytes:
    """The content with one to four changes."""
    changed = bytearray(content)
    for _ in range(int(generator.integers(1, 5))):
        if changed:
            change = _CHANGES[int(generator.integers(len(_CHANGES)))]
            change(changed, int(generator.integers(len(changed))), generator)
    return bytes(changed)


def changed_inside(name: str, content: bytes, generator: np.random.Generator) -> bytes:
    """A mutated file; of what is compressed every other time inside, with its checksum right."""
    if generator.random() < 0.5:
        if name.endswith(".npz"):
            return _zip_changed_inside(content, generator)
        if name == "compressed.mat":
            return _mat_changed_inside(content, generator)
    return mutated(content, generator)


def _zip_changed_inside(content: bytes, generator: np.random.Generator) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    chosen = list(members)[int(generator.integers(len(members)))]
    whole = members[chosen]
    if generator.random() < 0.5:  # what the header says
        members[chosen] = mutated(whole[:128], generator) + whole[128:]
    else:
        members[chosen] = mutated(whole, generator)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return written.getvalue()


def _mat_changed_inside(content: bytes, generator: np.random.Generator) -> bytes:
    changed, at = content[:128], 128
    while at < len(content):
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        inside = mutated(zlib.decompress(content[at + 8 : at + 8 + size]), generator)
        packed = zlib.compress(inside)
        changed += content[at : at + 4] + len(packed).to_bytes(4, "little") + packed
        at += 8 + size
    return changed


def _one_byte(changed: bytearray, at: int, generator: np.random.Generator) -> None:
    changed[at] = int(generator.integers(256))


def _one_bit(changed: bytearray, at: int, generator: np.random.Generator) -> None:
    changed[at] ^= 1 << int(generator.integers(8))


def _edge(changed: bytearray, at: int, generator: np.random.Generator) -> None:
    size = int(generator.choice([1, 2, 4]))
    value = int(generator.choice(np.array(_EDGES))) & ((1 << 8 * size) - 1)
    changed[at : at + size] = value.to_bytes(size, "little")


def _cut(changed: bytearray, at: int, generator: np.random.Generator) -> None:
    del changed[at : at + int(generator.integers(1, 40))]


def _truncate(changed: bytearray, at: int, generator: np.random.Generator) -> None:
    del changed[at:]


def _repeat(changed: bytearray, at: int, generator: np.random.Generator) -> None:
    piece = changed[at : at + int(generator.integers(1, 60))]
    changed[at:at] = bytes(piece) * int(generator.choice([1, 2, 500]))


def _number(changed: bytearray, at: int, generator: np.random.Generator) -> None:
    end = at
    while end < len(changed) and chr(changed[end]) in "0123456789.-+eE":
        end += 1
    changed[at:end] = _NUMBERS[int(generator.integers(len(_NUMBERS)))]


_CHANGES = (_one_byte, _one_byte, _one_bit, _edge, _cut, _truncate, _repeat, _number)
