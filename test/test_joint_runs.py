"""Runs of joints along the body, each with a matrix of its own."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from erd_ros.export.joint_runs import order_along_body, runs
from erd_ros.models.lcn import joints_within
from erd_ros.skeleton import H36M17

CHAIN = (-1, 0, 1, 2, 3, 4)


def area(found):
    return sum((rows.stop - rows.start) * (read.stop - read.start) for rows, read in found)


def test_the_order_of_a_chain_is_the_chain():
    shuffled = torch.tensor([3, 0, 5, 1, 4, 2])
    near = joints_within(CHAIN, 1)[shuffled][:, shuffled]
    along = shuffled[order_along_body(near)].tolist()
    assert along in ([0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0])


def test_a_run_reads_all_that_is_near_any_of_its_joints():
    near = joints_within(H36M17.parents, 3)
    near = near[order_along_body(near)][:, order_along_body(near)]
    for count in (1, 2, 3, 5):
        found = runs(near, count)
        assert [joint for rows, _ in found for joint in range(17)[rows]] == list(range(17))
        for rows, read in found:
            outside = torch.ones(17, dtype=torch.bool)
            outside[read] = False
            assert not near[rows][:, outside].any()


def test_three_runs_leave_a_third_out():
    near = joints_within(H36M17.parents, 3)
    order = order_along_body(near)
    along = near[order][:, order]
    assert area(runs(along, 1)) == 17 * 17
    assert area(runs(along, 3)) == 193
    names = [{H36M17.joint_names[i] for i in order[rows]} for rows, _ in runs(along, 3)]
    legs = {"left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle"}
    assert legs in names


def test_fewer_joints_than_runs():
    near = joints_within((-1, 0), 1)
    assert [rows for rows, _ in runs(near, 5)] == [slice(0, 1), slice(1, 2)]
