"""Ids that may stand in names of topics and frames, and are unique on the robot.

Frames and ``/humans`` know no namespaces: every node of a namespace begins its ids with two letters
that follow from it. hri_rviz reads the last five characters of a frame as the id, so that ids of
the tracker keep five: b0001 is cq001 in the namespace whose letters are cq.
"""

import hashlib
import re
import string
import zlib
from collections.abc import Iterable

_FIRST = string.ascii_lowercase.replace("b", "")  # b0001 is an id without a namespace
_SECOND = string.ascii_lowercase

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_OF_NUMBER = re.compile(r"n[0-9]{4,}")  # what numbers become, so that nothing else may be called so
_BELOW_0 = re.compile(r"-[0-9]+")


def legal_id(given: str) -> str:
    """An id that came with keypoints as a part of a ROS name, of 33 characters at most.

    Different ids stay different: a name of up to 32 letters, digits and underscores is kept, a
    number becomes n0012, anything else n and a digest. "" = none, as is a number below 0.
    """
    if not given or _BELOW_0.fullmatch(given):
        return ""
    if _NUMBER.fullmatch(given):
        return f"n{int(given):04d}"
    if _NAME.fullmatch(given) and not _OF_NUMBER.fullmatch(given):
        return given
    return "n" + hashlib.blake2b(given.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def ids_of_everyone(given: Iterable[str]) -> list[str] | None:
    """The legal ids; None unless each person has one."""
    ids = [legal_id(one) for one in given]
    return ids if all(ids) else None


def id_prefix(namespace: str) -> str:
    """Two letters for a node's namespace, "" for the root: the same at any time."""
    if not namespace.strip("/"):
        return ""
    number = zlib.crc32(namespace.strip("/").encode()) % (len(_FIRST) * len(_SECOND))
    first, second = divmod(number, len(_SECOND))
    return _FIRST[first] + _SECOND[second]


def tracked_ids(ids: Iterable[str], prefix: str) -> list[str]:
    """Ids of the tracker, a letter and a number, as this node gives them; "" stays."""
    if not prefix:
        return list(ids)
    return [f"{prefix}{int(name[1:]):03d}" if name else "" for name in ids]


def given_ids(ids: Iterable[str], prefix: str) -> list[str]:
    """Ids that came with the keypoints, as this node gives them; "" stays."""
    return [prefix + name if name else "" for name in ids]


def clashes(node: tuple[str, str], others: Iterable[tuple[str, str]]) -> list[str]:
    """What is wrong with the names of the nodes on the graph, each in a line.

    node    name and namespace of this one
    others  of all nodes, this one among them
    """
    name, namespace = node
    everybody = list(others)
    found = []
    if everybody.count(node) > 1:
        found.append(
            f"{everybody.count(node)} nodes are called {_full(node)}: their topics, frames and "
            "services get mixed up; give each a namespace of its own"
        )
    prefix = id_prefix(namespace)
    same = {space for called, space in everybody if called == name} - {namespace}
    for other in sorted(space for space in same if id_prefix(space) == prefix):
        found.append(
            f"ids of {_full(node)} and {_full((name, other))} begin with the same "
            f"'{prefix}': call one of the namespaces otherwise"
        )
    return found


def _full(node: tuple[str, str]) -> str:
    name, namespace = node
    return f"{namespace.rstrip('/')}/{name}"
