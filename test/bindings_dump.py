"""Run in a process of its own beside NVIDIA's Python bindings: prints, as JSON, what they have.

``tensorrt``: every class with its members and their signatures; our own classes are made from
theirs and called. ``cuda``: every function with its arguments, and what the first call says here.
"""

import importlib
import inspect
import json
import re
import sys


def split(text):
    """Arguments of a signature, by the commas outside of brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([<{") - (letter in ")]>}")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def signatures(function):
    """Of each overload: names, whether they may be left out, their types; and what is returned."""
    name = function.__name__
    lines = re.findall(rf"^(?:\d+\. )?{name}\((.*)\) -> (.*)$", function.__doc__ or "", re.M)
    found = []
    for arguments, returned in lines:
        if arguments == "*args, **kwargs":
            continue
        parameters = []
        for one in split(arguments):
            head, _, default = one.partition(" = ")
            parameter, _, kind = head.partition(":")
            parameters.append([parameter.strip(), bool(default), kind.strip().rpartition(".")[2]])
        found.append({"parameters": parameters[1:], "returns": returned.rpartition(".")[2]})
    return found


def member(value):
    if isinstance(value, property):
        kind = re.search(r"-> (.*)$", value.fget.__doc__ or "", re.M)
        returned = kind.group(1).rpartition(".")[2] if kind else ""
        return {"returns": returned, "settable": value.fset is not None}
    if inspect.isclass(value):
        return {"returns": "type"}
    if callable(value):
        return {"signatures": signatures(value)}
    return {"returns": type(value).__name__}


def tensorrt():
    import tensorrt_bindings as bindings

    sys.modules["tensorrt"] = bindings
    names = {}
    for name in dir(bindings):
        value = getattr(bindings, name)
        if inspect.isclass(value):
            members = {one: member(getattr(value, one)) for one in dir(value) if one[0] != "_"}
            members["__init__"] = {"signatures": signatures(value.__init__)}
            names[name] = {"class": members}
        else:
            names[name] = {"returns": type(value).__name__}
    return {"version": bindings.__version__, "names": names, "ours": ours(bindings)}


def ours(bindings):
    """What is made of their classes, and what is said where their library makes nothing."""
    from erd_ros.errors import BackendError
    from erd_ros.runtime import tensorrt_builder

    tensorrt_builder.check_version()
    log = tensorrt_builder.Log()
    log.log(bindings.ILogger.Severity.WARNING, "a warning")
    log.log(severity=bindings.ILogger.Severity.VERBOSE, message="something")
    found = {"flags": tensorrt_builder._network_flags(), "monitor": None, "error": ""}
    if hasattr(bindings, "IProgressMonitor"):
        monitor = tensorrt_builder._progress_in_log()
        monitor.phase_start(phase_name="a", parent_phase=None, num_steps=2)
        found["monitor"] = monitor.step_complete(phase_name="a", step=0)
        monitor.phase_finish(phase_name="a")
    try:
        tensorrt_builder.build(b"", "a file", "float32", 1, log)
    except BackendError as error:
        found["error"] = str(error)
    return found


def cuda():
    from cuda.bindings import runtime

    from erd_ros.errors import BackendError
    from erd_ros.runtime.cuda_device import Cuda

    functions, members = {}, {}
    for name in dir(runtime):
        value = getattr(runtime, name)
        if inspect.isclass(value):
            members[name] = [one for one in dir(value) if one[0] != "_"]
        elif callable(value):
            text = re.search(rf"^{name}\((.*)\)", value.__doc__ or "", re.M)
            functions[name] = len(split(text.group(1))) if text else None
    try:
        error = f"a GPU is here: {Cuda().gpu}"
    except BackendError as refused:
        error = str(refused)
    return {"functions": functions, "members": members, "error": error}


if __name__ == "__main__":
    importlib.import_module("erd_ros.runtime")
    print(json.dumps({"tensorrt": tensorrt, "cuda": cuda}[sys.argv[1]]()))
