"""What must hold of the messages that the node publishes."""

from typing import Any

import numpy as np
from erd_ros.msg import Joint3D, Person3D, Person3DArray
from geometry_msgs.msg import PoseArray
from rclpy.serialization import serialize_message
from rclpy.validate_full_topic_name import validate_full_topic_name

from benchmark.fuzz_checks import semi_definite, wrong_with_places, wrong_with_sizes
from erd_ros.ros.human_topics import Bodies, topics_of_body
from erd_ros.ros.parameters import NodeParameters
from erd_ros.ros.scene import Scene

_NOWHERE = (Person3D.NO_ROOT, Person3D.ENDED)
_SEEN = (Person3D.FULL, Person3D.PARTIAL_BODY)


def wrong_with_people(message: Person3DArray, origin: np.ndarray) -> list[str]:
    """Of ~/people as Person3D.msg documents it; ``origin`` (3,) is the camera's place."""
    names = [person.id for person in message.persons if person.id]
    wrong = [] if len(names) == len(set(names)) else ["two persons have one id"]
    for person in message.persons:
        wrong += _wrong_with_person(person)
    roots = np.array([_xyz(person.root) for person in message.persons]).reshape(-1, 3) - origin
    wrong += wrong_with_places(roots) if not message.prediction else []
    return wrong + wrong_with_sizes(np.array([person.size for person in message.persons]))


def _wrong_with_person(person: Person3D) -> list[str]:
    root, joints = _xyz(person.root), np.array([_xyz(joint.position) for joint in person.joints])
    spread = _matrices([person.root_covariance])[0]
    spreads = _matrices([joint.covariance for joint in person.joints])
    scores = [person.score, *(joint.score for joint in person.joints)]
    rules = {"a score is outside 0 to 1": all(0 <= score <= 1 for score in scores)}
    if person.state in _NOWHERE:
        rules |= {
            "a root of nobody's place": np.isnan(root).all(),
            "joints of nobody's place": np.isnan(joints).all(),
            "a joint is not MISSING": all(one.state == Joint3D.MISSING for one in person.joints),
            "a covariance of nobody's place": np.isnan(spread).all() and np.isnan(spreads).all(),
        }
    else:
        rules |= {
            "a root is not finite": np.isfinite(root).all(),
            "joints are not finite": np.isfinite(joints).all(),
            "a joint is MISSING": all(one.state != Joint3D.MISSING for one in person.joints),
            "a root's covariance is not one": bool(semi_definite(spread)),
            "a joint's covariance is not one": bool(semi_definite(spreads).all()),
            "a velocity is infinite": not np.isinf(_xyz(person.velocity)).any(),
            "a size is not finite": np.isfinite(person.size),
            "a size's std is not above 0": 0 < person.size_deviation < np.inf,
        }
    if person.state in _SEEN:
        rules["a residual is not finite"] = 0 <= person.residual < np.inf
        rules["somebody seen is unseen"] = person.unseen == 0
    if person.state == Person3D.PREDICTED:
        rules["somebody predicted is not unseen"] = 0 <= person.unseen < np.inf
    return [f"state {person.state}: {rule}" for rule, holds in rules.items() if not holds]


def _xyz(point: Any) -> np.ndarray:
    return np.array([point.x, point.y, point.z])


def _matrices(upper: list) -> np.ndarray:
    """(n, 3, 3) of xx, xy, xz, yy, yz, zz."""
    values = np.array(upper, np.float64)
    return values[:, [0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(-1, 3, 3)


def wrong_with_body_topics(
    scene: Scene, poses: PoseArray, messages: Any, parameters: NodeParameters
) -> list[str]:
    """Of ~/poses and of the topics below /humans/bodies."""
    wrong = []
    for pose in poses.poses:
        turn = pose.orientation
        length = np.linalg.norm([turn.x, turn.y, turn.z, turn.w])
        if not (abs(length - 1) < 1e-6 and np.isfinite(_xyz(pose.position)).all()):
            wrong.append("a pose of a body is no pose")
    if messages is None:
        return wrong
    of_scene, topics = Bodies(scene), topics_of_body(messages, parameters)
    for row, name in enumerate(scene.people.ids):
        if not name or scene.people.ended[row]:
            continue
        validate_full_topic_name(f"/humans/bodies/{name}/roi")
        for _, write in topics.values():
            published = write(of_scene, row)
            if published is not None:
                serialize_message(published)
                wrong += _not_finite(published)
    return wrong


def _not_finite(message: Any) -> list[str]:
    values = [
        value
        for name in ("xmin", "ymin", "xmax", "ymax", "c", "position")
        if hasattr(message, name)
        for value in np.ravel(getattr(message, name))
    ]
    if np.isfinite(values).all():
        return []
    return [f"a {type(message).__name__} holds a number that is not finite"]
