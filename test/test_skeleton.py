import numpy as np
import pytest

from erd_ros.errors import InputError
from erd_ros.skeleton import (
    BLAZEPOSE33,
    BODY25,
    COCO17,
    H36M17,
    HALPE26,
    OPENPOSE18,
    SKELETONS,
    Skeleton,
    conversion_matrix,
    skeleton_by_name,
)

# The orders as their makers publish them, in their makers' words.
PUBLISHED = {
    COCO17: "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow "
    "right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle "
    "right_ankle",
    OPENPOSE18: "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist RHip RKnee RAnkle LHip "
    "LKnee LAnkle REye LEye REar LEar",
    BODY25: "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist MidHip RHip RKnee RAnkle "
    "LHip LKnee LAnkle REye LEye REar LEar LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel",
    HALPE26: "Nose LEye REye LEar REar LShoulder RShoulder LElbow RElbow LWrist RWrist LHip RHip "
    "LKnee RKnee LAnkle RAnkle Head Neck Hip LBigToe RBigToe LSmallToe RSmallToe LHeel RHeel",
    # ../shared/data/README.md
    H36M17: "pelvis RHip RKnee RAnkle LHip LKnee LAnkle spine thorax neck_nose head_top LShoulder "
    "LElbow LWrist RShoulder RElbow RWrist",
}


def our_name(published):
    """`RBigToe` to `right_big_toe`."""
    if published.islower():
        return published
    side = {"L": "left_", "R": "right_"}.get(published[0] if published[1].isupper() else "", "")
    rest = published[1:] if side else published
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in rest)
    special = {"mid_hip": "pelvis", "hip": "pelvis", "head": "head_top"} if not side else {}
    return side + special.get(snake.lstrip("_"), snake.lstrip("_"))


@pytest.mark.parametrize("skeleton", PUBLISHED, ids=lambda skeleton: skeleton.name)
def test_joints_stand_in_the_published_order(skeleton):
    assert skeleton.joint_names == tuple(our_name(name) for name in PUBLISHED[skeleton].split())


def test_blazepose_stands_in_mediapipes_own_order():
    pose = pytest.importorskip("mediapipe", reason="mediapipe is not installed").solutions.pose
    names = [landmark.name.lower() for landmark in sorted(pose.PoseLandmark)]
    renamed = {"mouth_left": "left_mouth", "mouth_right": "right_mouth"}
    assert BLAZEPOSE33.joint_names == tuple(renamed.get(name, name) for name in names)


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda skeleton: skeleton.name)
def test_parents_form_one_tree_and_mirror(skeleton):
    assert skeleton.parents.count(-1) == 1
    for joint in range(len(skeleton)):
        seen = set()
        while joint != -1:
            assert joint not in seen
            seen.add(joint)
            joint = skeleton.parents[joint]
    assert len(skeleton.bones) == len(skeleton) - 1
    assert all(skeleton.parents[child] == parent for parent, child in skeleton.bones)
    flip = skeleton.flip
    assert [flip[mirrored] for mirrored in flip] == list(range(len(skeleton)))
    for joint, parent in enumerate(skeleton.parents):
        mirrored_parent = -1 if parent == -1 else flip[parent]
        assert skeleton.parents[flip[joint]] == mirrored_parent
    lateral = [name for name in skeleton.joint_names if name.startswith(("left_", "right_"))]
    assert all(flip[skeleton.index(name)] != skeleton.index(name) for name in lateral)


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda skeleton: skeleton.name)
def test_a_layout_converts_to_itself_unchanged(skeleton):
    np.testing.assert_array_equal(conversion_matrix(skeleton, skeleton), np.eye(len(skeleton)))


@pytest.mark.parametrize("source", SKELETONS.values(), ids=lambda skeleton: skeleton.name)
@pytest.mark.parametrize("target", SKELETONS.values(), ids=lambda skeleton: skeleton.name)
def test_conversion_is_by_name_and_a_mean_or_nothing(source, target):
    matrix = conversion_matrix(source, target)
    sums = matrix.sum(1)
    assert np.logical_or(np.isclose(sums, 1), sums == 0).all()
    for name in set(source.joint_names) & set(target.joint_names):
        row = matrix[target.index(name)]
        assert row[source.index(name)] == 1
        assert np.count_nonzero(row) == 1
    flipped = matrix[np.ix_(target.flip, source.flip)]
    np.testing.assert_array_equal(flipped, matrix)


def means(source, target, name):
    """{source joint: weight} that a target joint is built from."""
    row = conversion_matrix(source, target)[target.index(name)]
    return {source.joint_names[i]: float(row[i]) for i in np.flatnonzero(row)}


def test_what_the_model_needs_is_built_from_what_detectors_give():
    assert means(COCO17, H36M17, "pelvis") == {"left_hip": 0.5, "right_hip": 0.5}
    assert means(BODY25, H36M17, "pelvis") == {"pelvis": 1}
    assert means(BLAZEPOSE33, H36M17, "thorax") == {"left_shoulder": 0.5, "right_shoulder": 0.5}
    assert means(HALPE26, H36M17, "thorax") == {"neck": 1}
    assert means(HALPE26, H36M17, "head_top") == {"head_top": 1}
    assert means(COCO17, H36M17, "head_top") == {}
    assert means(COCO17, BODY25, "left_heel") == {}
    for source in (COCO17, OPENPOSE18, BODY25, HALPE26, BLAZEPOSE33):
        missing = [name for name in H36M17.joint_names if not means(source, H36M17, name)]
        assert missing == ([] if source is HALPE26 else ["head_top"])


def test_the_conversion_matrix_cannot_be_changed_behind_the_cache():
    with pytest.raises(ValueError, match="read-only"):
        conversion_matrix(COCO17, H36M17)[0, 0] = 1


def test_a_custom_layout_converts_by_its_names():
    custom = Skeleton("mine", ("right_hip", "banana", "left_hip"), (-1, 0, 0))
    assert means(custom, H36M17, "pelvis") == {"right_hip": 0.5, "left_hip": 0.5}
    assert means(custom, H36M17, "left_hip") == {"left_hip": 1}
    assert np.count_nonzero(conversion_matrix(custom, H36M17)) == 4


@pytest.mark.parametrize(
    ("names", "parents", "message"),
    [
        (("a", "b"), (-1,), "2 joint names but 1 parents"),
        (("a", "a"), (-1, 0), "occurs twice"),
        (("a", "b"), (-1, 2), r"parent 2 of 'b' is not in -1\.\.1"),
        (("a", "b"), (-2, 0), "parent -2 of 'a'"),
    ],
)
def test_impossible_layouts_are_refused(names, parents, message):
    with pytest.raises(InputError, match=message):
        Skeleton("bad", names, parents)


def test_unknown_names_list_the_choices():
    assert skeleton_by_name("coco17") is COCO17
    with pytest.raises(InputError, match="unknown keypoint layout 'coco'; choose one of h36m17, "):
        skeleton_by_name("coco")
    with pytest.raises(InputError, match="'coco17' has no joint 'pelvis'; it has nose, left_eye"):
        COCO17.index("pelvis")
