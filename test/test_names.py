"""Ids and frames of nodes in namespaces, and names that clash."""

import itertools
import random
import string

import pytest
from rclpy.validate_full_topic_name import validate_full_topic_name

from erd_ros.ros.names import (
    clashes,
    given_ids,
    id_prefix,
    ids_of_everyone,
    legal_id,
    tracked_ids,
)

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


ODD = (
    "two words",
    "Jörg",
    "a" * 1_000_000,
    "/",
    "a/b",
    "0012",
    "9" * 40,
    "\ud800",
    "a" * 33,
    "٣",
    "",
)


@pytest.mark.parametrize("given", [*ODD, "7", "12345", "anna", "_x", "n0007", "-1 ", "b0001"])
def test_any_id_becomes_a_part_of_a_topic_name(given):
    name = legal_id(given)
    assert len(name) <= 33
    assert name or not given
    validate_full_topic_name(f"/humans/bodies/{name or 'x'}/roi")  # raises


def test_names_are_kept_numbers_are_counted_and_below_0_is_none():
    assert [legal_id(name) for name in ("anna", "b0001", "_x", "a" * 32)] == [
        "anna", "b0001", "_x", "a" * 32,
    ]  # fmt: skip
    assert [legal_id(number) for number in ("0", "7", "12345")] == ["n0000", "n0007", "n12345"]
    assert [legal_id(none) for none in ("", "-1", "-32768")] == ["", "", ""]
    assert ids_of_everyone(["7", "anna"]) == ["n0007", "anna"]
    assert ids_of_everyone(["7", "-1"]) is None


def test_different_ids_stay_different():
    generator = random.Random(0)
    signs = string.digits * 3 + string.ascii_letters + "_ -/äß"
    given = {"".join(generator.choices(signs, k=generator.randint(1, 6))) for _ in range(20_000)}
    given |= {str(number) for number in range(3000)} | {f"n{number:04d}" for number in range(3000)}
    given |= {f"{number:04d}" for number in range(3000)} | {legal_id(odd) for odd in ODD}
    given = {one for one in given if legal_id(one)}
    assert len({legal_id(one) for one in given}) == len(given) > 20_000
