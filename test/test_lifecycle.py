"""erd_node's lifecycle over its services, as `ros2 lifecycle set` and `ros2 param set` use them."""

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from erd_ros.msg import Person2DArray, Person3DArray
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from ros_harness import RosBench
from ros_people import CAMERAS, camera_info, message_of, model_path, seen_by
from sensor_msgs.msg import CameraInfo

PINHOLE = CAMERAS["pinhole"]


@pytest.fixture
def bench(tmp_path):
    """A node that waits to be configured, and a client of its services and topics."""
    with RosBench(tmp_path) as bench:
        bench.model = model_path(tmp_path)
        bench.start(
            "autostart:=false",
            "input:=keypoints",
            f"model:={bench.model}",
            "diagnostics_period:=0.2",
        )
        node = bench.client.node
        bench.change = node.create_client(ChangeState, "/erd_node/change_state")
        bench.state = node.create_client(GetState, "/erd_node/get_state")
        bench.set = node.create_client(SetParameters, "/erd_node/set_parameters")
        bench.client.wait_for(
            lambda: all(c.service_is_ready() for c in (bench.change, bench.state, bench.set)),
            "the node's services",
        )
        bench.people = bench.client.listen(Person3DArray, "/erd_node/people")
        bench.reports = bench.client.listen(DiagnosticArray, "/diagnostics")
        bench.keypoints = bench.client.publisher(Person2DArray, "keypoints")
        bench.info = bench.client.publisher(CameraInfo, "camera_info")
        yield bench


def answer(bench, client, request):
    future = client.call_async(request)
    bench.client.wait_for(future.done, f"an answer; the node says:\n{bench.process.log()}")
    return future.result()


def change(bench, transition: int) -> bool:
    return answer(
        bench, bench.change, ChangeState.Request(transition=Transition(id=transition))
    ).success


def state(bench) -> int:
    return answer(bench, bench.state, GetState.Request()).current_state.id


def set_parameter(bench, name, value):
    message = Parameter(name, value=value).to_parameter_msg()
    return answer(bench, bench.set, SetParameters.Request(parameters=[message])).results[0]


def facts(bench) -> dict[str, str]:
    bench.reports.clear()
    bench.client.wait_for(lambda: bench.reports, "diagnostics")
    return {pair.key: pair.value for pair in bench.reports[-1].status[0].values}


def works(bench, stamp_s: float) -> None:
    bench.connect(bench.keypoints, bench.info)
    found = bench.ask(camera_info(), message_of(seen_by(PINHOLE), stamp_s))
    assert len(found.persons) == 2


def test_up_and_down_twice(bench):
    assert state(bench) == State.PRIMARY_STATE_UNCONFIGURED
    for round_s in (10.0, 20.0):
        assert change(bench, Transition.TRANSITION_CONFIGURE)
        assert state(bench) == State.PRIMARY_STATE_INACTIVE
        assert bench.keypoints.get_subscription_count() == 0
        assert facts(bench)["state"] == "INACTIVE"
        for activated_s in (1.0, 2.0):
            assert change(bench, Transition.TRANSITION_ACTIVATE)
            assert state(bench) == State.PRIMARY_STATE_ACTIVE
            works(bench, round_s + activated_s)
            assert facts(bench)["state"] == "FULL"
            assert change(bench, Transition.TRANSITION_DEACTIVATE)
            bench.client.wait_for(
                lambda: bench.keypoints.get_subscription_count() == 0, "the subscription's end"
            )
        assert change(bench, Transition.TRANSITION_CLEANUP)
        bench.client.wait_for(
            lambda: bench.client.node.count_publishers("/erd_node/people") == 0, "the topics' end"
        )
    assert change(bench, Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
    assert state(bench) == State.PRIMARY_STATE_FINALIZED
    assert "Traceback" not in bench.process.log()


def test_what_fails_leaves_the_node_where_it_was_and_can_be_mended(bench):
    assert set_parameter(bench, "model", "/nowhere.onnx").successful
    assert not change(bench, Transition.TRANSITION_CONFIGURE)
    assert state(bench) == State.PRIMARY_STATE_UNCONFIGURED
    assert "/nowhere.onnx does not exist" in bench.process.log()
    assert set_parameter(bench, "model", bench.model).successful
    assert change(bench, Transition.TRANSITION_CONFIGURE)
    assert change(bench, Transition.TRANSITION_ACTIVATE)
    works(bench, 1.0)


def test_parameters_change_at_once_or_are_refused_with_the_reason(bench):
    assert change(bench, Transition.TRANSITION_CONFIGURE)
    assert change(bench, Transition.TRANSITION_ACTIVATE)
    works(bench, 1.0)
    refused = set_parameter(bench, "input", "image")
    assert not refused.successful
    assert "'input' takes effect when the node is configured" in refused.reason
    assert not set_parameter(bench, "min_confidence", 1.5).successful
    refused = set_parameter(bench, "person_height", 0.3)
    assert not refused.successful
    assert "'person_height' is 0.3 m, expected 0.5 m or more" in refused.reason
    assert not set_parameter(bench, "autostart", True).successful
    # Half of the keypoints are seen: enough for 5, not for 12.
    keypoints = message_of(seen_by(PINHOLE), 2.0)
    for person in keypoints.persons:
        for keypoint in person.keypoints[9:]:
            keypoint.score = 0.0
    assert {p.state for p in bench.ask(camera_info(), keypoints).persons} == {2}
    assert set_parameter(bench, "min_keypoints", 12).successful
    keypoints.header.stamp.sec = 3
    assert {p.state for p in bench.ask(camera_info(), keypoints).persons} == {3}


REFUSED = {
    State.PRIMARY_STATE_UNCONFIGURED: (2, 3, 4, 6, 7),
    State.PRIMARY_STATE_INACTIVE: (1, 4, 5, 7),
    State.PRIMARY_STATE_ACTIVE: (1, 2, 3, 5, 6),
    State.PRIMARY_STATE_FINALIZED: (1, 2, 3, 4, 5, 6, 7),
}
NEVER = (0, 8, 9, 10, 30, 60, 62, 255)  # created, destroyed, outcomes, none at all


def test_a_request_that_is_not_possible_is_refused_in_every_state(bench):
    ways = (
        None,
        Transition.TRANSITION_CONFIGURE,
        Transition.TRANSITION_ACTIVATE,
        Transition.TRANSITION_ACTIVE_SHUTDOWN,
    )
    for (there, refused), way in zip(REFUSED.items(), ways, strict=True):
        assert way is None or change(bench, way)
        for transition in (*refused, *NEVER):
            assert not change(bench, transition), (there, transition)
            assert state(bench) == there, transition
    assert "a request on /erd_node/change_state is refused" in bench.process.log()
    assert "Traceback" not in bench.process.log()


def test_requests_that_come_while_a_transition_runs_are_all_answered(bench):
    futures = [
        bench.change.call_async(ChangeState.Request(transition=Transition(id=transition)))
        for transition in (1, 1, 3, 2, 4, 2, 255, 5, 7)  # ROS keeps ten that wait
    ]
    bench.client.wait_for(lambda: all(future.done() for future in futures), "all answers")
    # Configured, activated, deactivated, cleaned up, shut down: each once. No order is promised.
    assert sum(future.result().success for future in futures) <= 5
    assert isinstance(state(bench), int)


def test_a_parameter_of_no_type_is_refused(bench):
    message = Parameter("min_confidence", value=0.4).to_parameter_msg()
    message.value.type = 200
    good = Parameter("min_keypoints", value=6).to_parameter_msg()
    results = answer(bench, bench.set, SetParameters.Request(parameters=[good, message])).results
    assert [result.successful for result in results] == [True, False]
    assert set_parameter(bench, "min_confidence", 0.4).successful
