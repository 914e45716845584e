"""A short sequence that needs no download: two adults in front of a robot's camera.

One walks round the other, who turns on the spot and waves. The motion is forward kinematics of
joint angles, so that bone lengths are exact and the truth is known to the player and the report;
the node never sees it. The sequence is periodic: it can be repeated without a jump.

World frame: metres, x right and y ahead as seen from the camera, z up, the floor at z = 0.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError
from erd_ros.geometry.camera import Camera
from erd_ros.pose import FloatArray, Keypoints2D
from erd_ros.skeleton import H36M17

Array = NDArray[np.float64]

CAMERA_HEIGHT_M = 1.4
CAMERA_PITCH_DOWN_DEG = 8.0
STATURES_M = (1.78, 1.62)

# Segment lengths as fractions of stature. Legs and ankle height: Drillis and Contini 1966, as
# tabled by Winter, Biomechanics and Motor Control of Human Movement, ch. 4. The trunk, the hip and
# shoulder half widths and the arms are medians of the motion capture in docs/training.md, whose
# joint centres lie deeper than the surface landmarks of the table.
ANKLE_HEIGHT = 0.039
_SHANK, _THIGH, _HIP_HALF_WIDTH = 0.246, 0.245, 0.052
_SPINE, _THORAX, _NECK, _HEAD = 0.115, 0.190, 0.060, 0.105
_SHOULDER_HALF_WIDTH, _UPPER_ARM, _FOREARM = 0.110, 0.165, 0.146

# Sagittal angles of level walking at tenths of a stride from heel strike, degrees of flexion:
# the shape of the curves in Winter, ch. 5, rounded.
_STRIDE = np.linspace(0, 1, 11)
_HIP_DEG = (30, 27, 20, 11, 2, -8, -4, 13, 26, 32, 30)
_KNEE_DEG = (5, 16, 17, 10, 7, 12, 36, 60, 54, 22, 5)


@dataclass(frozen=True)
class SyntheticConfig:
    """rate_hz, duration_s: of one period; noise_px: standard deviation of a keypoint's error per
    axis; missing: share of keypoints that are not seen. Raises InputError outside the bounds."""

    rate_hz: float = 25.0
    duration_s: float = 10.0
    noise_px: float = 1.5
    missing: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.rate_hz <= 200:
            raise InputError(f"rate is {self.rate_hz:g} Hz, expected 1 to 200")
        if not 1 <= self.duration_s <= 600:
            raise InputError(f"duration is {self.duration_s:g} s, expected 1 to 600")
        if not 0 <= self.noise_px <= 100:
            raise InputError(f"noise is {self.noise_px:g} pixels, expected 0 to 100")
        if not 0 <= self.missing < 1:
            raise InputError(f"share of missing keypoints is {self.missing:g}, expected 0 to < 1")


@dataclass(frozen=True, eq=False)
class SyntheticSequence:
    """T frames of P persons in layout h36m17.

    truth_in_camera  (T, P, J, 3) metres, camera optical frame
    pixels           (T, P, J, 2) noisy keypoints, NaN where missing or outside the image
    confidence       (T, P, J)
    """

    camera: Camera
    rate_hz: float
    truth_in_camera: Array
    pixels: FloatArray
    confidence: FloatArray

    def __len__(self) -> int:
        return len(self.pixels)

    def keypoints(self, frame: int) -> Keypoints2D:
        """What a detector would have seen in one frame."""
        return Keypoints2D(H36M17, self.pixels[frame], self.confidence[frame])


@dataclass(frozen=True, eq=False)
class _Motion:
    """Joint angles (T,) or (T, 2: right, left) in radians; position (T, 2) on the floor, metres.

    heading is counted from straight away from the camera, counterclockwise seen from above.
    """

    position: Array
    heading: Array
    hips: Array
    knees: Array
    shoulders: Array
    abduction: Array
    outward_rotation: Array
    elbows: Array
    twist: Array


def _rotation(axis: int, angle: Array) -> Array:
    """Rotations (..., 3, 3) by ``angle`` (...) radians about one coordinate axis."""
    matrix = np.zeros((*angle.shape, 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix[..., axis, axis] = 1
    matrix[..., i, i] = matrix[..., j, j] = np.cos(angle)
    matrix[..., j, i] = np.sin(angle)
    matrix[..., i, j] = -np.sin(angle)
    return matrix


def _leg(hip: Array, turn: Array, motion: _Motion, leg: int) -> list[Array]:
    """Hip, knee and ankle (T, 3) of a body of stature 1; ``leg`` is 0 for the right, 1 the left."""
    bend = motion.hips[:, leg]
    knee = hip + turn @ _rotation(0, bend) @ np.array([0, 0, -_THIGH])
    shank_turn = turn @ _rotation(0, bend - motion.knees[:, leg])
    return [hip, knee, knee + shank_turn @ np.array([0, 0, -_SHANK])]


def _arm(shoulder: Array, turn: Array, motion: _Motion, arm: int) -> list[Array]:
    """Shoulder, elbow and wrist (T, 3), likewise."""
    outward = (-1, 1)[arm]
    upper_turn = turn @ _rotation(1, outward * motion.abduction[:, arm])
    upper_turn = upper_turn @ _rotation(0, motion.shoulders[:, arm])
    upper_turn = upper_turn @ _rotation(2, outward * motion.outward_rotation[:, arm])
    elbow = shoulder + upper_turn @ np.array([0, 0, -_UPPER_ARM])
    forearm_turn = upper_turn @ _rotation(0, motion.elbows[:, arm])
    return [shoulder, elbow, elbow + forearm_turn @ np.array([0, 0, -_FOREARM])]


def _skeleton_in_world(motion: _Motion, stature: float) -> Array:
    """Forward kinematics: (T, 17, 3) metres, the lower ankle at its height above the floor."""
    turn = _rotation(2, motion.heading)
    pelvis_turn = turn @ _rotation(2, motion.twist)
    lean = _rotation(0, np.full_like(motion.twist, -0.05))
    trunk_turn = turn @ _rotation(2, -motion.twist) @ lean
    pelvis = np.zeros((len(motion.heading), 3))
    heights = np.cumsum([_SPINE, _THORAX, _NECK, _HEAD])
    trunk = [pelvis + trunk_turn @ np.array([0, 0, height]) for height in heights]
    hips = [pelvis + pelvis_turn @ np.array([x * _HIP_HALF_WIDTH, 0, 0]) for x in (1, -1)]
    shoulders = [
        trunk[1] + trunk_turn @ np.array([x * _SHOULDER_HALF_WIDTH, 0, 0]) for x in (1, -1)
    ]
    right_leg, left_leg = (_leg(hips[i], pelvis_turn, motion, i) for i in (0, 1))
    right_arm, left_arm = (_arm(shoulders[i], trunk_turn, motion, i) for i in (0, 1))
    joints = np.stack([pelvis, *right_leg, *left_leg, *trunk, *left_arm, *right_arm], axis=1)
    ankles = [H36M17.index("right_ankle"), H36M17.index("left_ankle")]
    joints[..., 2] += (ANKLE_HEIGHT - joints[:, ankles, 2].min(1))[:, None]
    in_world: Array = joints * stature
    in_world[..., :2] += motion.position[:, None]
    return in_world


def _walk_round(phase: Array) -> _Motion:
    """Nine strides round an ellipse 3.2 m wide and 1.7 m deep, 4.1 m ahead."""
    angle = 2 * np.pi * phase
    position = np.stack([1.6 * np.sin(angle), 4.1 - 0.85 * np.cos(angle)], axis=-1)
    velocity = np.stack([1.6 * np.cos(angle), 0.85 * np.sin(angle)], axis=-1)
    # The left leg is half a stride behind the right one; arms swing against their own leg.
    stride = np.stack([9 * phase, 9 * phase + 0.5], axis=-1) % 1
    swing = np.cos(2 * np.pi * stride)
    return _Motion(
        position=position,
        heading=np.unwrap(np.arctan2(velocity[:, 1], velocity[:, 0])) - np.pi / 2,
        hips=np.radians(np.interp(stride, _STRIDE, _HIP_DEG)),
        knees=np.radians(np.interp(stride, _STRIDE, _KNEE_DEG)),
        shoulders=np.radians(-18 * swing),
        abduction=np.full_like(swing, np.radians(8)),
        outward_rotation=np.zeros_like(swing),
        elbows=np.radians(30 - 12 * swing),
        twist=np.radians(5) * swing[:, 0],
    )


def _turn_and_wave(phase: Array) -> _Motion:
    """Standing 4.1 m ahead, one turn on the spot, the right arm raised and waving meanwhile."""
    shift = np.sin(2 * np.pi * phase)
    still = np.zeros_like(phase)
    raised = np.clip(1.6 * np.sin(np.pi * phase) ** 2, 0, 1)
    wave = raised * np.sin(2 * np.pi * 11 * phase)
    knees = np.radians(np.stack([8 + 6 * shift, 8 - 6 * shift], axis=-1))
    return _Motion(
        position=np.stack([0.1 + 0.03 * shift, still + 4.1], axis=-1),
        heading=np.pi + 2 * np.pi * phase,
        hips=knees / 2,
        knees=knees,
        shoulders=np.full_like(knees, np.radians(5)),
        abduction=np.radians(np.stack([10 + 90 * raised, still + 10], axis=-1)),
        outward_rotation=np.radians(np.stack([90 * raised, still], axis=-1)),
        elbows=np.radians(np.stack([20 + 60 * raised + 25 * wave, still + 20], axis=-1)),
        twist=np.radians(3) * shift,
    )


def robot_camera() -> Camera:
    """A plausible calibrated camera: 1280 x 720, 70 degrees wide, slight barrel distortion."""
    intrinsics = np.array([[910.0, 0.0, 645.0], [0.0, 908.0, 355.0], [0.0, 0.0, 1.0]])
    return Camera(1280, 720, intrinsics, (-0.06, 0.02, 0.0005, -0.0003, 0.0), "plumb_bob")


def _world_to_camera(points: Array) -> Array:
    pitch = np.radians(CAMERA_PITCH_DOWN_DEG)
    right = [1.0, 0.0, 0.0]
    down = [0.0, -np.sin(pitch), -np.cos(pitch)]
    ahead = [0.0, np.cos(pitch), -np.sin(pitch)]
    rotation_world_to_camera = np.array([right, down, ahead])
    camera_in_world = np.array([0.0, 0.0, CAMERA_HEIGHT_M])
    in_camera: Array = (points - camera_in_world) @ rotation_world_to_camera.T
    return in_camera


@lru_cache(maxsize=4)
def synthesise(config: SyntheticConfig = SyntheticConfig()) -> SyntheticSequence:
    """Motion, projection and the error of a detector; the same for the same config."""
    frames = max(2, round(config.rate_hz * config.duration_s))
    phase = np.arange(frames) / frames
    motions = (_walk_round(phase), _turn_and_wave(phase))
    in_world = np.stack(
        [_skeleton_in_world(motion, h) for motion, h in zip(motions, STATURES_M, strict=True)],
        axis=1,
    )
    camera = robot_camera()
    truth = _world_to_camera(in_world)
    rng = np.random.default_rng(config.seed)
    pixels = camera.project(truth) + config.noise_px * rng.standard_normal((*truth.shape[:-1], 2))
    inside = (pixels >= 0).all(-1) & (pixels < (camera.width, camera.height)).all(-1)
    seen = inside & (rng.random(inside.shape) >= config.missing)
    confidence = np.where(seen, rng.uniform(0.8, 1.0, seen.shape), 0).astype(np.float32)
    pixels = np.where(seen[..., None], pixels, np.nan).astype(np.float32)
    return SyntheticSequence(camera, config.rate_hz, truth, pixels, confidence)
