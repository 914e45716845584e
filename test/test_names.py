"""Ids and frames of nodes in namespaces, and names that clash."""

import itertools

from erd_ros.ros.names import clashes, given_ids, id_prefix, tracked_ids

SPACES = ("/front", "/rear", "/left", "/right", "/robot1/front", "/robot2/front", "/camera1")


def test_without_a_namespace_ids_stay_as_they_are():
    assert id_prefix("/") == id_prefix("") == ""
    assert tracked_ids(["b0001", "", "b9999"], "") == ["b0001", "", "b9999"]
    assert given_ids(["anna", ""], "") == ["anna", ""]


def test_ids_of_namespaces_differ_and_keep_five_characters():
    prefixes = [id_prefix(space) for space in SPACES]
    assert len(set(prefixes)) == len(SPACES)
    for prefix in prefixes:
        assert len(prefix) == 2
        assert prefix.isalpha()
        assert not prefix.startswith("b")
        assert tracked_ids(["b0001", "", "b0999"], prefix) == [f"{prefix}001", "", f"{prefix}999"]
        assert tracked_ids(["b1000"], prefix) == [f"{prefix}1000"]
        assert given_ids(["anna", ""], prefix) == [f"{prefix}anna", ""]


def test_two_nodes_of_one_name_and_two_of_one_prefix_are_named():
    here = ("erd_node", "/front")
    assert clashes(here, [here, ("erd_node", "/rear"), ("camera", "/front")]) == []
    (said,) = clashes(here, [here, here])
    assert "2 nodes are called /front/erd_node" in said
    same = next(
        space
        for space in (f"/camera{number}" for number in itertools.count())
        if id_prefix(space) == id_prefix("/front")
    )
    (said,) = clashes(here, [here, ("erd_node", same)])
    assert f"{same}/erd_node" in said
