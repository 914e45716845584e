"""Joints as detectors mean them, in training."""

import numpy as np
import pytest
import yaml
from tiny_mocap import STANDING

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from erd_ros.data.layout_keypoints import LayoutConfig, detect_in_layouts
from erd_ros.data.own_joints import OwnJoints
from erd_ros.errors import InputError
from erd_ros.mocap.body_frames import body_frames
from erd_ros.models.sizing import size_of
from erd_ros.skeleton import H36M17

PARTS = {
    "shoulder": "chest", "elbow": "{}_upper_arm", "wrist": "{}_forearm",
    "hip": "pelvis", "knee": "{}_thigh", "ankle": "{}_shank",
}  # fmt: skip
OFFSETS_MM = {part: [3.0 + 5 * n, -20.0 + 7 * n, 40.0 - 9 * n] for n, part in enumerate(PARTS)}
PEOPLE = 300


@pytest.fixture
def table(tmp_path):
    joints = {part: {"offset_mm": offset} for part, offset in OFFSETS_MM.items()}
    path = tmp_path / "detector.yaml"
    path.write_text(yaml.safe_dump({"size_m": 1.6, "joints": joints}))
    return path


@pytest.fixture
def points():
    generator = torch.Generator().manual_seed(0)
    standing = torch.from_numpy(STANDING.astype(np.float32)).repeat(PEOPLE, 1, 1)
    bent = standing + 0.1 * torch.randn(standing.shape, generator=generator)
    return torch.stack([bent[..., 0], -bent[..., 2] + 1, bent[..., 1] + 4], -1)


def test_each_limb_s_joint_moves_by_its_offset_in_the_body_s_axes(table, points):
    moved = OwnJoints.read([table]).moved(points, 1.0, torch.Generator().manual_seed(0))
    frames = body_frames(points.numpy(), np.full((PEOPLE, 2, 3), np.nan, np.float32))
    size = size_of(points, H36M17).numpy()
    for side, outside in (("left", 1), ("right", -1)):
        for part, axes in PARTS.items():
            joint = H36M17.index(f"{side}_{part}")
            offset = np.array(OFFSETS_MM[part]) / 1600 * [1, outside, 1]
            expected = size[:, None] * np.einsum("nij,j->ni", frames[axes.format(side)], offset)
            np.testing.assert_allclose(
                (moved - points)[:, joint].numpy(), expected, atol=2e-5, err_msg=f"{side} {part}"
            )
    limbs = [H36M17.index(f"{side}_{part}") for side in ("left", "right") for part in PARTS]
    others = [joint for joint in range(len(H36M17)) if joint not in limbs]
    assert torch.equal(moved[:, others], points[:, others])


def test_a_share_of_people_is_seen_by_such_detectors(table, points):
    moved = OwnJoints.read([table]).moved(points, 0.3, torch.Generator().manual_seed(0))
    assert (moved != points).flatten(1).any(1).float().mean() == pytest.approx(0.3, abs=0.08)


def test_keypoints_of_training_are_where_the_detector_means_them(table, points):
    half_image = torch.full((PEOPLE, 2), 10.0)
    config = LayoutConfig(layouts=("h36m17",), exact_share=1.0, scattered_share=0, part_share=0)
    rays = {}
    for tables in ((), (str(table),)):
        own = LayoutConfig(**{**vars(config), "joint_tables": tables, "joint_table_share": 1.0})
        rays[tables], _ = detect_in_layouts(
            points, half_image, own, torch.Generator().manual_seed(0)
        )
    moved = OwnJoints.read([table]).moved(points, 1.0, torch.Generator().manual_seed(0))
    expected = moved[..., :2] / moved[..., 2:]
    torch.testing.assert_close(rays[(str(table),)], expected)
    torch.testing.assert_close(rays[()], points[..., :2] / points[..., 2:])


def test_a_table_that_cannot_be_used_is_named(tmp_path, table):
    with pytest.raises(InputError, match="cannot be read"):
        OwnJoints.read([tmp_path / "none.yaml"])
    text = table.read_text()
    for wrong, message in (
        (text.replace("knee", "kneecap"), "lacks or contradicts 'knee'"),
        (text.replace("size_m: 1.6", "size_m: -1"), "size_m is -1"),
        (text.replace("joints", "joint: ["), "lacks or contradicts"),
    ):
        table.write_text(wrong)
        with pytest.raises(InputError, match=message):
            OwnJoints.read([table])
    with pytest.raises(InputError, match="joint_table_share is 2"):
        LayoutConfig(joint_table_share=2)
