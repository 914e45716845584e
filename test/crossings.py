"""Two people of real motion capture who walk across the image and pass each other.

The one behind is hidden limb by limb, and not detected at all while most of the body is.
"""

import numpy as np

from erd_ros.geometry.camera import Camera
from erd_ros.pose import Keypoints2D
from erd_ros.skeleton import H36M17

CAMERA = Camera(1280, 720, np.array([[900.0, 0, 640], [0, 900.0, 360], [0, 0, 1]]))
RATE_HZ = 25
CAMERA_HEIGHT = 1.2
_THICKNESS = 0.25  # metres to either side of the front person's joints that hide what is behind


def walks(path):
    """Positions (frames, 17, 3), metres, z up, of clips that go more than 3.3 m one way."""
    data = np.load(path)
    clips = np.split(data["positions"], np.flatnonzero(np.diff(data["clip_id"])) + 1)
    numbers = data["clip_id"][np.append(0, np.flatnonzero(np.diff(data["clip_id"])) + 1)]
    return [
        clip
        for number, clip in zip(numbers, clips, strict=True)
        if str(data["clip_action"][number]).startswith("walk |")
        and 75 <= len(clip) <= 130
        and np.linalg.norm(np.ptp(clip[:, 0, :2], axis=0)) > 3.3
    ]


def across(clip, depth, rightward):
    """(frames, 17, 3) in the camera frame: the clip turned to walk across the image."""
    way = clip[-1, 0, :2] - clip[0, 0, :2]
    along = way / np.linalg.norm(way)
    aside = np.array([-along[1], along[0]])
    centred = clip[..., :2] - clip[:, 0, :2].mean(0)
    side = 1 if rightward else -1
    return np.stack(
        [side * centred @ along, CAMERA_HEIGHT - clip[..., 2], depth + side * centred @ aside], -1
    )


def crossing(first, second, depths, seed=0, noise=0.01, missing=0.1):
    """Per image, truth (2, 17, 3), the keypoints seen of it in random order, and who is who.

    noise    of keypoints, in sizes of the person on the image
    missing  part of the keypoints that are not detected
    """
    generator = np.random.default_rng(seed)
    frames = min(len(first), len(second))
    bodies = [across(first[:frames], depths[0], True), across(second[:frames], depths[1], False)]
    for joints in np.stack(bodies, 1):
        pixels = CAMERA.project(joints)
        size = np.linalg.norm(np.nanmax(pixels, 1) - np.nanmin(pixels, 1), axis=-1)
        pixels = pixels + generator.normal(0, noise, pixels.shape) * size[:, None, None]
        seen = (generator.random((2, 17)) > missing) & np.isfinite(pixels).all(-1)
        seen &= ~_hidden(joints)
        order = [person for person in generator.permutation(2) if seen[person].sum() > 6]
        yield joints, Keypoints2D(H36M17, pixels[order], seen[order].astype(np.float32)), order


def _hidden(joints):
    """(2, 17) which joints of the person behind lie behind the other's body."""
    front, behind = np.argsort(joints[:, 0, 2])
    rays = joints[..., :2] / joints[..., 2:]
    low, high = rays[front].min(0), rays[front].max(0)
    low, high = low - _THICKNESS / joints[front, 0, 2], high + _THICKNESS / joints[front, 0, 2]
    hidden = np.zeros((2, 17), bool)
    hidden[behind] = ((rays[behind] > low) & (rays[behind] < high)).all(-1)
    return hidden
