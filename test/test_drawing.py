"""Drawn people, where the body model and OpenGL are installed: that the truth is what is drawn."""

import numpy as np
import pytest
from tiny_mocap import STANDING

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")
pytest.importorskip("moderngl", reason="moderngl is not installed: nothing is drawn here")

from erd_ros.data.drawing import Drawing
from erd_ros.errors import InputError
from erd_ros.skeleton import H36M17

SIDE = 64


def test_a_surface_is_drawn_where_the_camera_has_it():
    square = np.array([[-1, -1, 4], [1, -1, 4], [1, 1, 4], [-1, 1, 4]], np.float32)
    intrinsics = np.array([[40, 0, 30], [0, 20, 25], [0, 0, 1]], np.float32)
    draw = Drawing(np.array([[0, 2, 1], [0, 3, 2]], np.int32), SIDE)
    image = draw(square, np.tile([1.0, 0, 0], (4, 1)), intrinsics, np.array([0, 0, -1.0]), 1.0)
    draw.close()
    covered = np.argwhere(image[..., 3] > 0)
    # Edges at columns 30 +- 10 and rows 25 +- 5, centres of pixels at whole numbers.
    np.testing.assert_allclose(covered.min(0), (20, 20), atol=1)
    np.testing.assert_allclose(covered.max(0), (30, 40), atol=1)
    assert (image[25, 30] == [255, 0, 0, 255]).all()


@pytest.fixture(scope="module")
def figures():
    pytest.importorskip("anny", reason="Anny is not installed: there are no bodies to draw")
    from erd_ros.data.figures import Figures

    return Figures(4, 0)


def toes_of(joints):
    forward = np.cross(joints[11] - joints[14], [0, 0, 1.0])
    ankles = joints[[H36M17.index("left_ankle"), H36M17.index("right_ankle")]]
    return ankles + 0.18 * forward / np.linalg.norm(forward) - [0, 0, 0.06]


def test_a_body_takes_the_directions_of_a_pose_and_keeps_its_bones(figures):
    raised = STANDING.copy()
    raised[12] = raised[11] + np.array([0.1, 0, 0.25])
    raised[13] = raised[12] + np.array([-0.05, 0.1, 0.2])
    for rest in figures.bodies:
        body = figures.posed(rest, raised, toes_of(raised))
        for bone, first, second in (
            ("upperarm01.L", 11, 12), ("lowerarm01.L", 12, 13),
            ("upperleg01.L", 4, 5), ("lowerleg01.L", 5, 6),
        ):  # fmt: skip
            own = body.joints[second] - body.joints[first]
            wanted = raised[second] - raised[first]
            length = np.linalg.norm(rest.joints[second] - rest.joints[first])
            length *= rest.lengths[figures.bone_names.index(bone)]
            assert np.linalg.norm(own) == pytest.approx(length, rel=0.05)
            cosine = own @ wanted / np.linalg.norm(own) / np.linalg.norm(wanted)
            assert cosine > np.cos(np.radians(8))


def test_a_pose_that_lacks_joints_is_refused(figures):
    joints = STANDING.copy()
    joints[5] = np.nan
    with pytest.raises(InputError, match="the pose lacks joints"):
        figures.posed(figures.bodies[0], joints, toes_of(STANDING))


def test_every_joint_of_a_shot_lies_on_the_drawn_body(figures):
    from erd_ros.data.scenes import Poses, Scenes

    poses = Poses(STANDING[None].astype(np.float32), toes_of(STANDING)[None].astype(np.float32))
    scenes = Scenes(figures, [poses])
    one, same = (scenes.shot(np.random.default_rng(3)) for _ in range(2))
    scenes.close()
    assert (one.image == same.image).all()
    assert one.image.std() > 5
    for points in (one.joints, one.landmarks):
        pixels = (points / points[:, 2:]) @ one.intrinsics.T
        assert ((pixels[:, :2] > 0) & (pixels[:, :2] < 639)).all()
