"""A folder of drawn people: ``00000.jpg`` and so on, and ``truth.npz``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from erd_ros.data.detector_joints import Truth
from erd_ros.data.figures import Figures
from erd_ros.data.scenes import SIDE, Scenes, read_poses
from erd_ros.errors import InputError
from erd_ros.mocap.landmarks import BOTH_SIDES
from erd_ros.npz_arrays import read_npz_arrays, write_npz_arrays
from erd_ros.pose import Keypoints2D
from erd_ros.skeleton import H36M17, Skeleton

_TRUTH = "truth.npz"
_QUALITY = 92  # of JPEG
_NUMBERS = ("joints", "landmarks", "intrinsics")


def render(
    data: Path, sources: tuple[str, ...], out: Path, images: int, bodies: int, seed: int
) -> None:
    """Draw images of people and write them with their truth.

    data     folder of the motion capture, with toes (``SOURCE_toes.npz``)
    Raises InputError where something is missing or cannot be written.
    """
    if images < 1:
        raise InputError(f"{images} images, expected 1 or more")
    poses = [read_poses(data, source) for source in sources]
    scenes = Scenes(Figures(bodies, seed), poses)
    generator = np.random.default_rng(seed)
    truth: dict[str, list[Any]] = {name: [] for name in ("body", *_NUMBERS)}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for number in tqdm(range(images), unit="image"):
            shot = scenes.shot(generator)
            _write_image(out / f"{number:05d}.jpg", shot.image)
            for name, values in truth.items():
                values.append(getattr(shot, name))
        arrays = {name: np.array(one) for name, one in truth.items()}
        write_npz_arrays(out / _TRUTH, arrays, compressed=True)
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}") from error
    finally:
        scenes.close()


def _write_image(path: Path, image: NDArray[np.uint8]) -> None:
    if not cv2.imwrite(str(path), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]):
        raise InputError(f"{path} cannot be written")


def read_truth(folder: Path) -> Truth:
    """The truth of a folder that ``render`` wrote. Raises InputError for another."""
    path = folder / _TRUTH
    if not path.is_file():
        raise InputError(f"{path} does not exist; `erd data render` makes such a folder")
    arrays = read_npz_arrays(path, "truth", _NUMBERS)
    shapes = {"joints": (len(H36M17), 3), "landmarks": (len(BOTH_SIDES), 3), "intrinsics": (3, 3)}
    images = len(arrays["joints"]) if "joints" in arrays and arrays["joints"].ndim else 0
    for name, shape in shapes.items():
        if name not in arrays or arrays[name].shape != (images, *shape):
            raise InputError(f"truth {path} lacks {name} of shape {('N', *shape)}")
    numbers = {name: arrays[name].astype(np.float64) for name in _NUMBERS}
    return Truth(**numbers, image_size=(SIDE, SIDE))


def image_count(folder: Path) -> int:
    """How many images a folder of ``render`` has. Raises InputError for another folder."""
    return len(read_truth(folder))


def write_keypoints(path: Path, found: Sequence[Keypoints2D], layout: Skeleton) -> None:
    """Write the best person of each image as (N, J, 3): pixels and score, NaN for nobody."""
    keypoints = np.full((len(found), len(layout), 3), np.nan, np.float32)
    for row, people in zip(keypoints, found, strict=True):
        if len(people.confidence):
            best = int(people.confidence.sum(1).argmax())
            row[:, :2], row[:, 2] = people.pixels[best], people.confidence[best]
    write_npz_arrays(path, {"keypoints": keypoints}, compressed=True)


def read_keypoints(path: Path) -> NDArray[np.float64]:
    """(N, J, 3) of a file of ``write_keypoints``. Raises InputError for another."""
    if not path.is_file():
        raise InputError(f"file of keypoints {path} does not exist")
    keypoints = read_npz_arrays(path, "file of keypoints", ("keypoints",)).get("keypoints")
    if keypoints is None or keypoints.dtype.kind != "f" or keypoints.shape[2:] != (3,):
        raise InputError(f"file of keypoints {path} lacks keypoints, numbers of shape (N, J, 3)")
    return keypoints.astype(np.float64)


def read_image(folder: Path, number: int) -> NDArray[np.uint8]:
    """(S, S, 3) uint8, red first. Raises InputError where it cannot be read."""
    path = folder / f"{number:05d}.jpg"
    image = cv2.imread(str(path))
    if image is None:
        raise InputError(f"image {path} cannot be read")
    return np.ascontiguousarray(image[..., ::-1], np.uint8)
