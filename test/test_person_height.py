"""~/set_person_height over DDS: the height of one person reaches the model, of nobody else."""

import pytest
from erd_ros.msg import Person3D
from erd_ros.srv import SetPersonHeight
from ros_harness import RosBench
from ros_people import CAMERAS, camera_info, message_of, seen_by

from erd_ros.cues import ANKLE_HEIGHT
from erd_ros.errors import InputError
from erd_ros.runtime.heights import Heights

PINHOLE = CAMERAS["pinhole"]
BOTH = ["anna", "ben"]


@pytest.fixture
def start(tmp_path):
    """Starts a node with a model, and a client of its service."""
    with RosBench(tmp_path) as bench:

        def start(model, *parameters):
            bench.start_on_keypoints(
                model, "person_height_deviation:=0.001", "smoothing_lag:=0.0", *parameters
            )
            bench.heights = bench.client.node.create_client(
                SetPersonHeight, "/erd_node/set_person_height"
            )
            bench.client.wait_for(bench.heights.service_is_ready, "the service")
            return bench

        yield start


def tell(bench, person_id, height):
    future = bench.heights.call_async(SetPersonHeight.Request(id=person_id, height=height))
    bench.client.wait_for(future.done, f"an answer; the node says:\n{bench.process.log()}")
    return future.result()


def ask(bench, stamp_s, ids=BOTH):
    keypoints = message_of(seen_by(PINHOLE), stamp_s, BOTH)
    keypoints.persons = keypoints.persons[: len(ids)]
    return bench.ask(camera_info(), keypoints).persons


def test_one_persons_height_goes_before_that_of_everyone(start, model_with_cues):
    bench = start(model_with_cues, "person_height:=1.7", "prediction_timeout:=0.5")
    refused = tell(bench, "anna", 1.2)
    assert (refused.success, refused.message) == (
        False, "nobody has the id 'anna' now; there are: nobody"
    )  # fmt: skip
    assert [p.size for p in ask(bench, 1.0)] == pytest.approx([1.7 - ANKLE_HEIGHT] * 2, abs=0.01)
    assert "there are: anna, ben" in tell(bench, "carl", 1.8).message
    assert "3 m, expected 0.5 to 2.5 m" in tell(bench, "ben", 3.0).message
    assert tell(bench, "ben", 1.2).success
    told = [1.7 - ANKLE_HEIGHT, 1.2 - ANKLE_HEIGHT]
    assert [p.size for p in ask(bench, 1.1)] == pytest.approx(told, abs=0.01)
    # Who is predicted is still there; who has ended is another person, whatever the id.
    ask(bench, 1.4, ["anna"])
    assert [p.size for p in ask(bench, 1.5)] == pytest.approx(told, abs=0.01)
    ask(bench, 2.5, ["anna"])
    forgotten = [1.7 - ANKLE_HEIGHT] * 2
    assert [p.size for p in ask(bench, 2.6)] == pytest.approx(forgotten, abs=0.01)


def test_the_message_says_of_whom_the_height_was_known(start, model_with_cues):
    bench = start(model_with_cues)
    assert [p.cues for p in ask(bench, 1.0)] == [0, 0]
    assert tell(bench, "ben", 1.6).success
    assert [p.cues for p in ask(bench, 1.1)] == [0, Person3D.CUE_SIZE]
    assert tell(bench, "ben", 0.0).success
    assert [p.cues for p in ask(bench, 1.2)] == [0, 0]


def test_a_model_without_cues_is_told_no_height(start, model_files):
    bench = start(model_files[".onnx"])
    ask(bench, 1.0)
    refused = tell(bench, "ben", 1.6)
    assert not refused.success
    assert "the model takes no cues" in refused.message


@pytest.mark.parametrize("height", [0.3, -1.0, float("nan"), 2.6])
def test_heights_that_nobody_has_are_refused(height):
    heights = Heights()
    heights.keep({"b0001"})
    with pytest.raises(InputError, match="m, expected"):
        heights.tell("b0001", height)
