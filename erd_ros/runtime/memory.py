"""Memory of the C library that nobody uses."""

import ctypes


def give_back() -> None:
    """Hand back to the system what was freed: glibc keeps it in an arena for each thread there was.

    MediaPipe and ONNX Runtime start threads anew each time they are loaded. Other C libraries have
    no such call, and no such arenas.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
