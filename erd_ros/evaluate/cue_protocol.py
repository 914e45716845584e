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

from erd_ros.cues import CUES, Cues
from erd_ros.errors import InputError
from erd_ros.evaluate.scenes import SCENES, FixedViews, Scene, fixed_views
from erd_ros.evaluate.summary import true_size
from erd_ros.metrics import mpjpe_mm, mrpe_mm, n_mpjpe_mm
from erd_ros.mocap import TEST_CAMERAS, read_human36m_cameras, read_mocap
from erd_ros.pose import FloatArray
from erd_ros.runtime import Backend, PoseOutputs, load
from erd_ros.runtime.carried_size import CarriedSize

Array = NDArray[np.float64]
Figures = dict[str, object]

NONE, EXACT = "none", "root's depth exact"
_COLUMN = {name: index for index, name in enumerate(CUES)}
_UP = slice(_COLUMN["up_x"], _COLUMN["up_z"] + 1)


@dataclass(frozen=True)
class Setting:
    """Which cues there are, by their deviations; infinite: not there.

    size, camera_height, depth  metres
    tilt                        degrees
    carried                     whether the size found goes on to the track's next frame
    share                       fraction of a track's frames, its first, that have the cues
    """

    size: float = math.inf
    camera_height: float = math.inf
    tilt: float = 0.3
    depth: float = math.inf
    carried: bool = False
    share: float = 1.0


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
    **{
        f"depth to 5 cm in the first tenth of a track{how}": Setting(
            depth=0.05, carried=bool(how), share=0.1
        )
        for how in ("", ", size carried")
    },
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
    place, frames = _places(views.track)
    cues[place >= np.ceil(setting.share * frames)] = Cues().row()
    return cues


def _places(track: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(F,) how manieth frame of its track each is, from 0, and how many frames that has."""
    _, index, counts = np.unique(track, return_inverse=True, return_counts=True)
    order = np.argsort(index.reshape(-1), kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    return place, counts[index.reshape(-1)]


def _finite(deviation: float) -> float:
    return deviation if math.isfinite(deviation) else 0.0


def _along_tracks(
    backend: Backend, track: NDArray[np.int64], scene: Scene, cues: Array
) -> PoseOutputs:
    """Frame after frame of all tracks at once; the size found is a cue for the next frame."""
    persons, index = np.unique(track, return_inverse=True)
    place, _ = _places(track)
    found: list[PoseOutputs] = []
    frames: list[NDArray[np.int64]] = []
    carried = CarriedSize.unknown(len(persons))
    for step in range(int(place.max()) + 1):
        frame = np.flatnonzero(place == step)
        person = index.reshape(-1)[frame]
        given = carried.as_cue(person, cues[frame])
        outputs = backend(scene.rays[frame], scene.confidence[frame], given)
        assert outputs.size is not None  # models that take cues give it
        carried = carried.with_frame(person, *outputs.size[:, 2:].T)
        found.append(outputs)
        frames.append(frame)
    back = np.argsort(np.concatenate(frames))
    names = ("joints", "root", "residual", "size", "sigma")
    return PoseOutputs(*(np.concatenate([getattr(one, n) for one in found])[back] for n in names))


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
