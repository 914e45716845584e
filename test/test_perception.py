"""The perception loop without ROS: the same people as the node's pipeline finds."""

import numpy as np
import pytest
from crossings import CAMERA, RATE_HZ, crossing, walks

from erd_ros.cues import Cues
from erd_ros.errors import InputError
from erd_ros.pose import Keypoints2D
from erd_ros.runtime import DEFAULT_MODEL, load
from erd_ros.runtime.perception import Perception, PerceptionConfig
from erd_ros.skeleton import H36M17


@pytest.fixture(scope="module")
def backend():
    return load(DEFAULT_MODEL)


@pytest.fixture(scope="module")
def images(shared_data):
    """Keypoints of two people who cross, image by image, and who is who."""
    clips = walks(shared_data / "cmu.npz")
    return [(seen, order) for _, seen, order in crossing(*clips[:2], depths=(4, 5))]


def told(perception, images, **given):
    return [
        perception.update(keypoints, CAMERA, frame / RATE_HZ, **given)
        for frame, (keypoints, _) in enumerate(images)
    ]


def test_people_who_cross_keep_their_ids_and_sizes(backend, images):
    people = told(Perception(backend), images)
    owners = {}
    for one, (_, order) in zip(people, images, strict=True):
        for person, name in zip(order, one.ids, strict=False):
            owners.setdefault(name, set()).add(person)
    assert all(len(persons) == 1 for persons in owners.values())
    last = people[-1]
    assert np.isfinite(last.root[last.unseen_s == 0]).all()


def test_the_same_images_give_the_same_people_to_the_bit(backend, images):
    first, second = (told(Perception(backend), images) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert one.ids == other.ids
        np.testing.assert_array_equal(one.joints, other.joints)


def test_without_a_camera_people_have_ids_and_no_place(backend, images):
    people = Perception(backend).update(images[0][0], None, 0.0)
    assert people.ids[0] == "b0001"
    assert not people.placed.any()


def test_too_many_people_are_named_and_the_surest_kept(backend, images):
    said = []
    perception = Perception(
        backend, PerceptionConfig(max_persons=1), remark=lambda cause, words: said.append(cause)
    )
    keypoints = images[0][0]
    confidence = keypoints.confidence.copy()
    confidence[0] *= 0.5
    people = perception.update(
        Keypoints2D(H36M17, keypoints.pixels, confidence), CAMERA, 0.0, ids=["left", "right"]
    )
    assert people.ids == ["right"]
    assert said == ["too many persons"]


def test_a_height_of_somebody_who_is_there_is_used(backend, images):
    perception = Perception(backend)
    with pytest.raises(InputError, match="nobody has the id 'b0001' now"):
        perception.set_height("b0001", 1.8)
    perception.update(images[0][0], CAMERA, 0.0)
    perception.set_height("b0001", 1.8)
    people = perception.update(images[1][0], CAMERA, 0.04)
    assert people.cues[people.ids.index("b0001")] & 1


def test_a_depth_that_cannot_be_is_refused_and_said(backend, images):
    said = []
    perception = Perception(backend, remark=lambda cause, words: said.append(cause))
    keypoints = images[0][0]
    far = [Cues().with_depth(50.0, 0.05) for _ in range(len(keypoints))]
    people = perception.update(keypoints, CAMERA, 0.0, cues=far)
    assert said == ["depth refused"] * len(keypoints)
    assert (people.root[:, 2] < 10).all()


def test_a_cap_of_nobody_is_refused():
    with pytest.raises(InputError, match="max_persons is 0, expected 1 or more"):
        PerceptionConfig(max_persons=0)
