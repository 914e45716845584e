"""Memory that nobody uses any more."""

import ctypes
import gc


def give_back() -> None:
    """Hand back to the system what is free. Takes some tens of milliseconds.

    Python's objects that refer to each other go first: with them a whole model. glibc then keeps
    what was freed, in an arena for each thread there was, and MediaPipe and ONNX Runtime start
    threads anew each time they are loaded. Other C libraries have no such call.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
