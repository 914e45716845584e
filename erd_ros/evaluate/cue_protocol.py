"""What cues of size and root are worth, and how that falls off as they get worse.

Poses are those of the studio's cameras, with exact keypoints and with those of a detector. Each cue
errs as its deviation says: that of the ground and of the size once for a whole track, as a wrong
calibration or a wrong number does, that of the depth anew in every frame.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from erd_ros.cues import CUES, LEG, SPINE, Cues
from erd_ros.errors import InputError
from erd_ros.evaluate.scenes import SCENES, FixedViews, Scene, fixed_views
from erd_ros.metrics import mpjpe_mm, mrpe_mm, n_mpjpe_mm
from erd_ros.mocap import TEST_CAMERAS, read_human36m_cameras, read_mocap
from erd_ros.pose import FloatArray
from erd_ros.runtime import Backend, PoseOutputs, load
from erd_ros.skeleton import H36M17

Array = NDArray[np.float64]
Figures = dict[str, object]

NONE, EXACT = "none", "root's depth exact"
_COLUMN = {name: index for index, name in enumerate(CUES)}
_UP = slice(_COLUMN["up_x"], _COLUMN["up_z"] + 1)
# A size that is handed from frame to frame is never surer than this, metres: errors that all
# frames share do not average out.
SUREST_SIZE = 0.015


@dataclass(frozen=True)
class Setting:
    """Which cues there are, by their deviations; infinite: not there.

    size, camera_height, depth  metres
    tilt                        degrees
    carried                     whether the size found goes on to the track's next frame
    """

    size: float = math.inf
    camera_height: float = math.inf
    tilt: float = 0.3
    depth: float = math.inf
    carried: bool = False


SETTINGS = {
    NONE: Setting(),
    **{
        f"ground, height to {100 * height:g} cm, tilt to {tilt:g} degrees{how}": Setting(
            camera_height=height, tilt=tilt, carried=bool(how)
        )
        for how in ("", ", size carried")
        for height, tilt in ((0.02, 0.3), (0.05, 0.3), (0.02, 1.0), (0.02, 2.0))
    },
    **{f"size to {100 * size:g} cm": Setting(size=size) for size in (0.01, 0.02, 0.04, 0.08)},
    **{f"depth to {100 * depth:g} cm": Setting(depth=depth) for depth in (0.02, 0.05, 0.1, 0.3)},
    "size to 2 cm and depth to 5 cm": Setting(size=0.02, depth=0.05),
    EXACT: Setting(depth=0.001),
}


def evaluate_cues(
    model: Path, data: Path, sources: Sequence[str], split: str = "test", seed: int = 0
) -> Figures:
    """Errors by scene and by what is known, millimetres; see ``_errors`` for what is measured.

    Raises InputError for a model that takes no cues.
    """
    backend = load(model, "cpu", threads=1)
    if not backend.takes_cues:
        raise InputError(f"{model} takes no cues; train one with model: {{root: cues}}")
    views = fixed_views(read_mocap(data, sources, split), read_human36m_cameras(data, TEST_CAMERAS))
    figures: Figures = {}
    size = true_size(views.points_in_camera)
    for name, make_scene in SCENES.items():
        scene = make_scene(views, np.random.default_rng(seed))
        errors = {
            label: _errors(_estimated(backend, views, scene, size, setting, seed), size, scene)
            for label, setting in tqdm(SETTINGS.items(), desc=name, unit="setting")
        }
        figures[name] = {label: _closed(one, errors) for label, one in errors.items()}
    return figures


def _estimated(
    backend: Backend, views: FixedViews, scene: Scene, size: Array, setting: Setting, seed: int
) -> PoseOutputs:
    """What the model says with the cues of a setting."""
    cues = _drawn(views, size, setting, np.random.default_rng(seed))
    if not setting.carried:
        return backend(scene.rays, scene.confidence, cues)
    return _along_tracks(backend, views.track, scene, cues)


def _drawn(views: FixedViews, size: Array, setting: Setting, generator: Generator) -> Array:
    _, track = np.unique(views.track, return_inverse=True)
    track = track.reshape(-1)

    def of_track(*shape: int) -> Array:
        return generator.standard_normal((track.max() + 1, *shape))[track]

    known = Cues(
        size_deviation=setting.size,
        camera_height_deviation=setting.camera_height,
        tilt_deviation=math.radians(setting.tilt),
        depth_deviation=setting.depth,
    )
    cues = np.tile(known.row().astype(np.float64), (len(size), 1))
    errors = of_track(5)
    cues[:, _COLUMN["size"]] = size + _finite(setting.size) * errors[:, 0]
    height = views.camera_height + _finite(setting.camera_height) * errors[:, 1]
    cues[:, _COLUMN["camera_height"]] = height
    tilt = Rotation.from_rotvec(math.radians(setting.tilt) * errors[:, 2:])
    cues[:, _UP] = tilt.apply(views.up)
    depth = views.points_in_camera[:, 0, 2]
    noise = generator.standard_normal(len(depth))
    cues[:, _COLUMN["depth"]] = depth + _finite(setting.depth) * noise
    return cues


def _finite(deviation: float) -> float:
    return deviation if math.isfinite(deviation) else 0.0


def _along_tracks(
    backend: Backend, track: NDArray[np.int64], scene: Scene, cues: Array
) -> PoseOutputs:
    """Frame after frame of all tracks at once; the size found is a cue for the next frame."""
    order = np.argsort(track, kind="stable")
    _, first, index = np.unique(track[order], return_index=True, return_inverse=True)
    place = np.arange(len(order)) - first[index.reshape(-1)]
    found: list[PoseOutputs] = []
    frames: list[NDArray[np.int64]] = []
    carried = np.full((len(first), 2), [1.0, np.inf])
    for step in range(int(place.max()) + 1):
        here = place == step
        frame, person = order[here], index.reshape(-1)[here]
        given = cues[frame]
        given[:, [_COLUMN["size"], _COLUMN["size_variance"]]] = carried[person]
        outputs = backend(scene.rays[frame], scene.confidence[frame], given)
        assert outputs.size is not None  # models that take cues give it
        sure = np.maximum(outputs.size[:, 1], SUREST_SIZE)
        carried[person] = np.stack([outputs.size[:, 0], sure**2], -1)
        found.append(outputs)
        frames.append(frame)
    back = np.argsort(np.concatenate(frames))
    names = ("joints", "root", "residual", "size", "sigma")
    return PoseOutputs(*(np.concatenate([getattr(one, n) for one in found])[back] for n in names))


def true_size(points: Array) -> Array:
    """(F,) sizes of poses (F, J, 3), metres: lengths from ankle to head top along the body."""

    def length(names: Sequence[str]) -> Array:
        chain = points[:, [H36M17.index(name) for name in names]]
        return np.asarray(np.linalg.norm(np.diff(chain, axis=1), axis=-1).sum(-1))

    legs = [length([f"{side}_{part}" for part in LEG]) for side in ("left", "right")]
    return np.asarray(length(SPINE) + (legs[0] + legs[1]) / 2)


def _errors(outputs: PoseOutputs, size: Array, scene: Scene) -> dict[str, float]:
    """Means over all poses, millimetres; sigma is honest where ``within_sigma`` is 68 %."""
    assert outputs.size is not None  # models that take cues give both
    assert outputs.sigma is not None
    joints, root = outputs.joints.astype(np.float64), outputs.root.astype(np.float64)
    distance = np.linalg.norm(scene.root, axis=-1)
    along = np.abs(np.linalg.norm(root, axis=-1) - distance)
    return {
        "mpjpe_mm": float(mpjpe_mm(joints, scene.joints).mean()),
        "n_mpjpe_mm": float(n_mpjpe_mm(joints, scene.joints).mean()),
        "mrpe_mm": float(mrpe_mm(root, scene.root).mean()),
        "size_error_mm": float(1000 * np.abs(outputs.size[:, 0] - size).mean()),
        "size_within_deviation_percent": _within(outputs.size[:, 0] - size, outputs.size[:, 1]),
        "sigma_mm": float(1000 * outputs.sigma.mean()),
        "within_sigma_percent": _within(along, outputs.sigma),
    }


def _within(error: Array | FloatArray, deviation: FloatArray) -> float:
    return float(100 * (np.abs(error) < deviation).mean())


def _closed(errors: dict[str, float], all_errors: Mapping[str, dict[str, float]]) -> Figures:
    """With the share of MPJPE between no cue and the exact root that is closed, percent."""
    open_mm = all_errors[NONE]["mpjpe_mm"] - all_errors[EXACT]["mpjpe_mm"]
    closed = all_errors[NONE]["mpjpe_mm"] - errors["mpjpe_mm"]
    return {**errors, "closed_percent": 100 * closed / open_mm if open_mm else math.nan}
