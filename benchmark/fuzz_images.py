"""Fuzzing what turns image messages and CameraInfo into arrays and cameras."""

import zlib
from collections.abc import Callable, Iterator

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from benchmark.changed_files import mutated
from benchmark.fuzz_messages import draw_depth, draw_info
from benchmark.fuzz_people import View, chance, draw_view
from benchmark.fuzz_target import Case
from erd_ros.ros.cameras import CameraReader, scaled
from erd_ros.ros.depth import metres_from_depth_image
from erd_ros.ros.images import ENCODINGS, rgb_from_image
from erd_ros.ros.inputs import rgb_from_compressed

_ENCODINGS = (
    *ENCODINGS, "nv12", "nv21", "yuyv", "uyvy", "8UC1", "8UC3", "8UC4", "mono16", "rgb16", "bgr16",
    "16UC1", "32FC1", "64FC3", "bayer_rggb16", "", "jpeg", "8UC1000000", "\u00e4", "x" * 10000,
)  # fmt: skip
_SIDES = (0, 1, 2, 3, 100, 10_000, 16_000, 65_000, 65_535, 2**31 - 1)
_LARGE = (0, 1, 7, 2**16, 2**31, 2**32 - 1)


class ImagesTarget:
    """See ``benchmark.fuzz_target.Target``: a few images of each kind an episode."""

    def __init__(self) -> None:
        self._files = _image_files()

    def episode(self, generator: np.random.Generator) -> Iterator[Case]:
        view, reader = draw_view(generator), CameraReader(chance(generator, 0.3))
        for _ in range(10):
            yield _raw(generator)
            yield self._compressed(generator)
            yield _depth(generator, view)
            yield _camera_info(generator, view, reader)

    def _compressed(self, generator: np.random.Generator) -> Case:
        name = str(generator.choice(list(self._files)))
        content = self._files[name]
        if chance(generator, 0.3):
            content = _with_size(name, content, generator)
        if chance(generator, 0.8):
            content = mutated(content, generator)
            content = _with_checksums(content) if chance(generator, 0.5) else content
        message = CompressedImage(
            format=str(generator.choice([name, "", "jpeg; bgr8", "x" * 9999]))
        )
        message.data.frombytes(content)
        return Case(
            lambda: f"{name} {content.hex()}", lambda: _wrong_rgb(rgb_from_compressed(message))
        )


def _image_files() -> dict[str, bytes]:
    """Small JPEG and PNG files of several kinds, and others that are to be refused."""
    generator = np.random.default_rng(0)
    colour = generator.integers(0, 255, (24, 32, 3), dtype=np.uint8)
    grey, deep = colour[..., 0], colour.astype(np.uint16) * 257
    alpha = np.concatenate([colour, colour[..., :1]], -1)
    progressive = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    restarts = [cv2.IMWRITE_JPEG_RST_INTERVAL, 2]
    kinds = {
        "a.jpg": (colour, []), "b.jpg": (grey, []), "c.jpg": (colour, progressive),
        "d.jpg": (colour, restarts), "a.png": (colour, []), "b.png": (grey, []),
        "c.png": (deep, []), "d.png": (alpha, []), "a.bmp": (colour, []),
        "a.tiff": (colour, []), "a.webp": (colour, []), "a.ppm": (colour, []),
    }  # fmt: skip
    return {
        name: cv2.imencode(name[1:], image, options)[1].tobytes()
        for name, (image, options) in kinds.items()
    }


def _with_size(name: str, content: bytes, generator: np.random.Generator) -> bytes:
    """With another width and height in its header."""
    changed = bytearray(content)
    width, height = (int(side) for side in generator.choice(_SIDES, 2))
    if name.endswith(".png"):
        changed[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
        return _with_checksums(bytes(changed))
    at = max(changed.find(b"\xff\xc0"), changed.find(b"\xff\xc2"))
    if name.endswith(".jpg") and at > 0:
        changed[at + 5 : at + 9] = (height & 0xFFFF).to_bytes(2, "big") + (width & 0xFFFF).to_bytes(
            2, "big"
        )
    return bytes(changed)


def _with_checksums(content: bytes) -> bytes:
    """A PNG file whose checksums fit again, so that a decoder goes on."""
    changed, at = bytearray(content), 8
    while content.startswith(b"\x89PNG") and at + 12 <= len(changed):
        end = at + 8 + int.from_bytes(changed[at : at + 4], "big")
        if end + 4 > len(changed):
            break
        changed[end : end + 4] = zlib.crc32(changed[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(changed)


def _raw(generator: np.random.Generator) -> Case:
    encoding = str(generator.choice(_ENCODINGS))
    width, height = (int(side) for side in generator.integers(0, 40, 2))
    step = width * int(generator.choice([1, 2, 3, 4, 6, 8])) + int(generator.choice([0, 0, 5]))
    step = step if encoding not in ENCODINGS else width * ENCODINGS[encoding]
    size = step * height * 2 if chance(generator, 0.1) else step * height * 3 // 2
    if chance(generator, 0.3):
        name = int(generator.integers(3))
        value = int(generator.choice(_LARGE))
        width, height, step = (
            (value if i == name else old) for i, old in enumerate((width, height, step))
        )
    if chance(generator, 0.2):
        size = int(generator.integers(0, size + 1))
    message = Image(width=width, height=height, step=step, encoding=encoding)
    message.is_bigendian = int(generator.choice([0, 0, 1, 255]))
    message.data.frombytes(generator.bytes(size))

    def run() -> list[str]:
        wrong = _wrong_rgb(image := rgb_from_image(message))
        if image.shape[:2] != (height, width):
            wrong.append(f"an image of {width}x{height} became {image.shape}")
        return wrong

    return Case(lambda: f"{encoding} {width}x{height} step {step} bytes {size}", run)


def _wrong_rgb(image: np.ndarray) -> list[str]:
    if image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size:
        return []
    return [f"an image is {image.dtype} of shape {image.shape}"]


def _depth(generator: np.random.Generator, view: View) -> Case:
    message = draw_depth(generator, view, Header())

    def run() -> list[str]:
        metres = metres_from_depth_image(message)
        if metres.dtype == np.float32 and metres.shape == (message.height, message.width):
            return []
        return [f"a depth image is {metres.dtype} of shape {metres.shape}"]

    text = f"{message.encoding} {message.width}x{message.height} step {message.step}"
    return Case(lambda: f"depth {text} bytes {len(message.data)}", run)


def _camera_info(generator: np.random.Generator, view: View, reader: CameraReader) -> Case:
    info = draw_info(generator, view, Header())
    pixels = generator.uniform(-0.1, 1.1, (17, 2)) * (view.width, view.height)
    other = int(generator.choice([view.width, view.width // 2, 1, 100_000]))

    def run() -> list[str]:
        camera = reader.read(info)
        if chance(np.random.default_rng(other), 0.3):
            camera = scaled(camera, other, max(1, other * camera.height // camera.width))
        return _wrong_camera(camera.rays(pixels), camera.project)

    return Case(lambda: f"{info}", run)


def _wrong_camera(rays: np.ndarray, project: Callable[[np.ndarray], np.ndarray]) -> list[str]:
    """Rays are numbers or NaN, and so are their pixels."""
    pixels = project(np.concatenate([rays, np.ones_like(rays[:, :1])], -1))
    wrong = []
    if np.isinf(rays).any():
        wrong.append("a ray is infinite")
    if np.isinf(pixels).any():
        wrong.append("a pixel of a ray is infinite")
    return wrong
