"""Fuzzing the pipeline: messages of every kind one after another, and all that is published."""

import sys
import warnings
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseArray, Quaternion, Transform, Vector3
from rclpy.serialization import serialize_message
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from benchmark.fuzz_messages import (
    FOREIGN,
    Clock,
    draw_depth,
    draw_frame,
    draw_info,
    fits_float32,
    own_message,
)
from benchmark.fuzz_people import (
    Poses,
    View,
    chance,
    draw_layout,
    draw_view,
    in_layout,
    odd,
    spoil_keypoints,
)
from benchmark.fuzz_published import wrong_with_body_topics, wrong_with_people
from benchmark.fuzz_target import Case
from erd_ros.errors import InputError
from erd_ros.ros.bodies import bodies, pose_array, transforms
from erd_ros.ros.frames import Placement, placement_of
from erd_ros.ros.humans import hri_messages
from erd_ros.ros.markers import MarkerStyle, SkeletonMarkers
from erd_ros.ros.parameters import NodeParameters
from erd_ros.ros.people_message import PeopleWriter
from erd_ros.ros.pipeline import Inputs, Pipeline
from erd_ros.ros.scene import Scene
from erd_ros.runtime import DEFAULT_MODEL, load
from erd_ros.skeleton import COCO17, OPENPOSE18, Skeleton

_FOREIGN_PACKAGES = {"yolo_msgs": "DetectionArray", "zed_msgs": "ObjectsStamped"}
_LAYOUTS = {"yolo": COCO17, "zed": OPENPOSE18, "hri_skeleton2d": OPENPOSE18}


class OddFrames:
    """In place of TF: a camera above the ground, now and then where none can be."""

    def __init__(self) -> None:
        self.draw: Callable[[], Placement] = lambda: Placement(np.eye(3), np.zeros(3))
        self.used: list[Placement] = []

    def placement(self, *_: Any) -> Placement:
        found = self.draw()
        self.used.append(found)
        return found

    def forget(self) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is held."""


class PipelineTarget:
    """See ``benchmark.fuzz_target.Target``: one pipeline, camera and sender an episode."""

    def __init__(self) -> None:
        for package, name in _FOREIGN_PACKAGES.items():
            # Their messages are drawn as objects of the same fields, where they are not installed.
            package_of = ModuleType(f"{package}.msg")
            setattr(package_of, name, SimpleNamespace)
            sys.modules.setdefault(package, ModuleType(package))
            sys.modules.setdefault(f"{package}.msg", package_of)
        self._backend, self._poses = load(DEFAULT_MODEL), Poses()
        # What is imported at the first message takes its time, and warns.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            serialize_message(MarkerArray())
            if (messages := hri_messages()) is not None:
                serialize_message(messages.Skeleton2D())

    def episode(self, generator: np.random.Generator) -> Iterator[Case]:
        parameters = _parameters(generator)
        view, clock, frames = draw_view(generator), Clock(generator), OddFrames()
        pipeline = Pipeline(
            parameters, self._backend, frames, lambda *_: None,  # type: ignore[arg-type]
            str(generator.choice(["", "cq"])),
        )  # fmt: skip
        writer = PeopleWriter(self._backend.info.skeleton, "")
        layout = _LAYOUTS.get(parameters.input) or draw_layout(generator)
        for _ in range(int(generator.integers(1, 40))):
            inputs = self._inputs(generator, parameters, view, clock, layout)
            lies = int(generator.integers(2**31))
            ahead_s = float(generator.choice([0, 0, 0.03, 1.0, 60.0]))

            def run(
                inputs: Inputs = inputs, lies: int = lies, ahead_s: float = ahead_s
            ) -> list[str]:
                drawn = np.random.default_rng(lies)
                frames.used.clear()
                frames.draw = lambda: _placement(drawn)
                scene = pipeline.scene(inputs)
                return _published(scene, writer, ahead_s, parameters, frames.used, drawn)

            yield Case(lambda inputs=inputs: f"{parameters} {inputs}", run)  # type: ignore[misc]

    def _inputs(
        self,
        generator: np.random.Generator,
        parameters: NodeParameters,
        view: View,
        clock: Clock,
        layout: Skeleton,
    ) -> Inputs:
        header = Header(stamp=clock.stamp(generator), frame_id=draw_frame(generator))
        info = None if chance(generator, 0.02) else draw_info(generator, view, header)
        people = self._people(generator, view, layout)
        make = FOREIGN.get(parameters.input)
        if make is not None:
            message = make(generator, header, people, view)
        else:
            message = own_message(generator, header, layout, people, view)
        depth = None
        if parameters.use_depth and chance(generator, 0.9):
            depth = draw_depth(generator, view, header)
        return Inputs(message, info, depth)

    def _people(self, generator: np.random.Generator, view: View, layout: Skeleton) -> np.ndarray:
        """(N, J, 3) of columns, rows and scores that fit into float32."""
        persons = int(generator.choice([0, 1, 1, 1, 2, 2, 3, 6]))
        people = np.zeros((persons, len(layout), 3))
        for person in people:
            fine = chance(generator, 0.6)
            points = self._poses.good(generator, view) if fine else self._poses.odd(generator)
            person[:, :2] = view.project(in_layout(points, layout))
            person[:, 2] = generator.random(len(person)) ** 0.2
            if not fine or chance(generator, 0.3):
                pixels, scores = person[:, :2].copy(), person[:, 2].copy()
                spoil_keypoints(generator, pixels, scores)
                if chance(generator, 0.8):  # a message with any other score is refused as a whole
                    scores = np.nan_to_num(scores).clip(0, 1)
                person[:, :2], person[:, 2] = pixels, scores
        return np.vectorize(fits_float32, otypes=[float])(people)


def _parameters(generator: np.random.Generator) -> NodeParameters:
    kinds = ["keypoints"] * 6 + ["yolo", "yolo", "zed", "zed", "hri_skeleton2d"]
    return NodeParameters(
        input=str(generator.choice(kinds)),
        min_keypoints=int(generator.choice([5, 5, 5, 2, 17])),
        min_confidence=float(generator.choice([0.3, 0.3, 0.0, 1.0])),
        image_margin=float(generator.choice([0.1, 0.1, 0.0, 1.0])),
        max_persons=int(generator.choice([100, 100, 1, 2])),
        prediction_timeout=float(generator.choice([1.0, 1.0, 0.0, 60.0])),
        smoothing_lag=float(generator.choice([0.1, 0.1, 0.0, 2.0])),
        input_is_rectified=chance(generator, 0.2),
        scale_camera_info=chance(generator, 0.3),
        target_frame=str(generator.choice(["", "", "map"])),
        ground_frame=str(generator.choice(["", "base_link"])),
        use_depth=chance(generator, 0.3),
        person_height=float(generator.choice([0.0, 0.0, 1.8, 0.5, 2.5])),
    )


def _placement(generator: np.random.Generator) -> Placement:
    """Of a level camera a metre above the ground; one in five times something else."""
    level = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    if chance(generator, 0.8):
        return Placement(level, np.array([0.0, 0.0, 1.0]))
    if chance(generator, 0.2):
        raise InputError("no transform")
    height = float(generator.choice([0, -0.5, 0.05, 5, 1000, 1e-9, 1e9, odd(generator)]))
    turn = generator.normal(size=4) if chance(generator, 0.9) else np.full(4, odd(generator))
    transform = Transform(translation=Vector3(z=height))
    transform.rotation = Quaternion(**dict(zip("xyzw", turn.tolist(), strict=True)))
    return placement_of(transform)


def _published(
    scene: Scene,
    writer: PeopleWriter,
    ahead_s: float,
    parameters: NodeParameters,
    used: list[Placement],
    generator: np.random.Generator,
) -> list[str]:
    """What is wrong with all that a node publishes of a scene."""
    origin = used[0].translation if parameters.target_frame else np.zeros(3)
    message = writer.write(scene, ahead_s)
    wrong = wrong_with_people(message, origin)
    if chance(generator, 0.1):
        placed = bodies(scene.people)
        poses: PoseArray = pose_array(scene.header, placed)
        drawn = SkeletonMarkers(MarkerStyle()).draw(scene)
        for published in (message, poses, drawn, *transforms(scene.header, placed)):
            serialize_message(published)
        wrong += wrong_with_body_topics(scene, poses, hri_messages(), parameters)
    return wrong
