"""Messages in, messages out, without a node: the same each time to the bit, and on in a loop."""

import numpy as np
import pytest
from crossings import CAMERA, RATE_HZ, crossing, walks
from ros_people import camera_info, contents, message_of, model_path

from erd_ros.ros.parameters import NodeParameters
from erd_ros.ros.people_message import PeopleWriter
from erd_ros.ros.pipeline import Inputs, Pipeline
from erd_ros.ros.scene import FrameError
from erd_ros.runtime import load

INFO = camera_info(CAMERA)


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    return load(model_path(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def recorded(shared_data):
    """Three seconds in which two people cross: messages without ids, as a detector sends them."""
    clips = walks(shared_data / "cmu.npz")
    frames = crossing(clips[4], clips[5], (4.0, 4.6), noise=0.02, missing=0.2)
    return [message_of(keypoints, 50 + f / RATE_HZ) for f, (_, keypoints, _) in enumerate(frames)]


def pipeline(backend, remarks):
    parameters = NodeParameters(input="keypoints")
    return Pipeline(parameters, backend, None, lambda cause, _: remarks.append(cause))


def replay(recorded, backend, rounds=1):
    """What a node answers to the messages, played ``rounds`` times in a row."""
    remarks = []
    running = pipeline(backend, remarks)
    writer = PeopleWriter(backend.info.skeleton, "")
    answers, ids = [], []
    for _ in range(rounds):
        for message in recorded:
            scene = running.scene(Inputs(message, INFO))
            answers.append(contents(writer.write(scene)))
            ids.append(
                {
                    n
                    for n, gone in zip(scene.people.ids, scene.people.ended, strict=True)
                    if not gone
                }
            )
    return answers, ids, remarks


def test_played_twice_the_answers_are_the_same(recorded, backend):
    first, ids, _ = replay(recorded, backend)
    assert first == replay(recorded, backend)[0]
    assert set.union(*ids) == {"b0001", "b0002"}


def test_in_a_loop_ids_go_on(recorded, backend):
    _, ids, remarks = replay(recorded, backend, rounds=3)
    length = len(recorded)
    rounds = [set.union(*ids[begin : begin + length]) for begin in range(0, 3 * length, length)]
    assert rounds == [{"b0001", "b0002"}, {"b0003", "b0004"}, {"b0005", "b0006"}]
    assert remarks.count("time went back") == 2


def test_people_who_hide_each_other_are_predicted_near_where_they_are(
    recorded, backend, shared_data
):
    running = pipeline(backend, [])
    clips = walks(shared_data / "cmu.npz")
    frames = list(crossing(clips[4], clips[5], (4.0, 4.6)))
    off_m = []
    for frame, (truth, keypoints, order) in enumerate(frames):
        people = running.scene(Inputs(message_of(keypoints, frame / RATE_HZ), INFO)).people
        for row in np.flatnonzero(people.unseen_s > 0):
            (hidden,) = set(range(2)) - set(order)
            # Across the image: how far away somebody is, is another matter.
            off_m.append(abs(people.root[row, 0] - truth[hidden, 0, 0]))
    assert len(off_m) > 3
    assert np.median(off_m) < 0.3


def test_late_messages_are_dropped_and_jumps_forward_are_not(recorded, backend):
    running = pipeline(backend, [])
    ids = running.scene(Inputs(recorded[0], INFO)).people.ids
    late = message_of(next(crossing_keypoints(recorded)), 49.8)
    with pytest.raises(FrameError, match=r"0\.200 s before the last one"):
        running.scene(Inputs(late, INFO))
    assert running.scene(Inputs(recorded[1], INFO)).people.ids == ids
    later = message_of(next(crossing_keypoints(recorded)), 5000.0)
    people = running.scene(Inputs(later, INFO)).people
    assert people.ended.tolist() == [False, False, True, True]


def crossing_keypoints(recorded):
    from erd_ros.ros.convert import keypoints_from_message

    for message in recorded:
        yield keypoints_from_message(message, (CAMERA.width, CAMERA.height)).keypoints
