"""MP4 files changed in what they say of their frames, as phones and cameras write it."""

import struct

_PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
# The left two columns of the matrix that shows a frame turned clockwise by so many degrees.
_TURNS = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


def turned(content: bytes, degrees: int) -> bytes:
    """To be shown turned clockwise (ISO/IEC 14496-12, 8.3.2)."""
    a, b, c, d = (2**16 * value for value in _TURNS[degrees])
    matrix = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 2**30)
    return _changed(content, b"tkhd", lambda box: box[:40] + matrix + box[76:])


def with_pixel_aspect(content: bytes, across: int, down: int) -> bytes:
    """With pixels across/down times as wide as high (ISO/IEC 14496-12, 12.1.4)."""

    def change(box: bytes) -> bytes:
        size = struct.unpack_from(">I", box, 8)[0]
        entry = box[12 : 8 + size] + struct.pack(">I4sII", 16, b"pasp", across, down)
        return box[:8] + struct.pack(">I", len(entry) + 4) + entry + box[8 + size :]

    return _changed(content, b"stsd", change)


def with_steps(content: bytes, steps: list[tuple[int, float]]) -> bytes:
    """With (frames, times the step of before) one after the other (ISO/IEC 14496-12, 8.6.1.2)."""

    def change(box: bytes) -> bytes:
        step = struct.unpack_from(">I", box, 12)[0]
        entries = [struct.pack(">II", count, round(times * step)) for count, times in steps]
        return box[:4] + struct.pack(">I", len(entries)) + b"".join(entries)

    # The edit list would cut what comes after the time that the film lasted before.
    return _changed(content.replace(b"edts", b"free"), b"stts", change)


def _changed(content: bytes, wanted: bytes, change) -> bytes:
    out, at = b"", 0
    while at < len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        box = content[at + 8 : at + size]
        if kind == wanted:
            box = change(box)
        elif kind in _PARENTS:
            box = _changed(box, wanted, change)
        out += struct.pack(">I4s", 8 + len(box), kind) + box
        at += size
    return out
