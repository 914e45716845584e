"""Markers: shapes, colours, who is deleted when."""

import numpy as np
from ros_people import scene_of
from visualization_msgs.msg import Marker

from erd_ros.pose import Pose3D
from erd_ros.ros.markers import MarkerStyle, SkeletonMarkers, colour, marker_id
from erd_ros.skeleton import H36M17


def people(*ids: str, unseen: tuple[int, ...] = (), lost: tuple[int, ...] = ()):
    count = len(ids)
    joints = np.random.default_rng(3).normal(size=(count, 17, 3)).astype(np.float32)
    joints[list(lost)] = np.nan
    confidence = np.ones((count, 17), np.float32)
    confidence[:, list(unseen)] = 0
    poses = Pose3D(H36M17, joints, joints[:, 0], confidence, np.zeros(count, np.float32))
    return scene_of(poses, list(ids))


def by_key(array):
    return {(marker.ns, marker.id): marker for marker in array.markers}


def test_bones_and_joints_lie_where_the_pose_says():
    shown = people("b0001", "b0002")
    markers = by_key(SkeletonMarkers(MarkerStyle()).draw(shown))
    assert len(markers) == 6
    for index, person_id in enumerate(shown.people.ids):
        expected = shown.people.joints[index]
        joints = markers["joints", marker_id(person_id)]
        bones = markers["bones", marker_id(person_id)]
        assert (joints.type, bones.type) == (Marker.SPHERE_LIST, Marker.LINE_LIST)
        assert joints.header == bones.header == shown.header
        np.testing.assert_array_equal([(p.x, p.y, p.z) for p in joints.points], expected)
        ends = np.array([(p.x, p.y, p.z) for p in bones.points]).reshape(-1, 2, 3)
        np.testing.assert_array_equal(ends, expected[np.array(H36M17.bones)])
        assert len(bones.colors) == len(bones.points)
        assert markers["labels", marker_id(person_id)].text == person_id


def test_inferred_joints_and_their_bones_are_pale():
    knee = H36M17.index("left_knee")
    markers = by_key(SkeletonMarkers(MarkerStyle()).draw(people("b0001", unseen=(knee,))))
    alphas = [color.a for color in markers["joints", marker_id("b0001")].colors]
    assert alphas[knee] < 0.5
    assert set(np.delete(alphas, knee)) == {1.0}
    bone_alphas = [color.a for color in markers["bones", marker_id("b0001")].colors[::2]]
    pale = {bone for bone, alpha in zip(H36M17.bones, bone_alphas, strict=True) if alpha < 0.5}
    assert pale == {bone for bone in H36M17.bones if knee in bone}


def test_one_colour_per_id_at_any_time_and_two_for_neighbours():
    assert colour("b0001") == colour("b0001") != colour("b0002")
    assert len({colour(f"b{number:04d}") for number in range(1, 11)}) == 10
    assert colour("anna") == colour("anna")


def test_markers_of_those_who_are_gone_are_deleted_once():
    drawing = SkeletonMarkers(MarkerStyle())
    drawing.draw(people("b0001", "b0002"))
    after = drawing.draw(people("b0002"))
    deleted = {(m.ns, m.id) for m in after.markers if m.action == Marker.DELETE}
    assert deleted == {(ns, marker_id("b0001")) for ns in ("bones", "joints", "labels")}
    assert {m.id for m in after.markers if m.action == Marker.ADD} == {marker_id("b0002")}
    assert all(m.action == Marker.ADD for m in drawing.draw(people("b0002")).markers)


def test_person_whose_place_is_unknown_is_not_drawn():
    drawing = SkeletonMarkers(MarkerStyle())
    drawing.draw(people("b0001", "b0002"))
    after = drawing.draw(people("b0001", "b0002", lost=(1,)))
    assert {m.id for m in after.markers if m.action == Marker.DELETE} == {marker_id("b0002")}
    assert drawing.draw(people("", lost=(0,))).markers[0].action == Marker.DELETE
    assert drawing.draw(people()).markers == []


def test_style_is_followed():
    style = MarkerStyle(joint_diameter=0.1, bone_width=0.02, labels=False, lifetime=2.5)
    markers = by_key(SkeletonMarkers(style).draw(people("b0001")))
    assert set(markers) == {("bones", marker_id("b0001")), ("joints", marker_id("b0001"))}
    joints, bones = markers["joints", marker_id("b0001")], markers["bones", marker_id("b0001")]
    assert (joints.scale.x, joints.scale.y, joints.scale.z) == (0.1, 0.1, 0.1)
    assert bones.scale.x == 0.02
    assert (joints.lifetime.sec, joints.lifetime.nanosec) == (2, 500_000_000)
