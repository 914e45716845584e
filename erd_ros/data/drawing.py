"""One surface drawn without a screen, by OpenGL through EGL (Mesa's software renderer will do)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError
from erd_ros.pose import FloatArray

_VERTEX = """#version 330
in vec3 place; in vec3 normal; in vec3 colour; uniform mat4 camera;
out vec3 normal_; out vec3 colour_;
void main() { gl_Position = camera * vec4(place, 1); normal_ = normal; colour_ = colour; }"""
_FRAGMENT = """#version 330
in vec3 normal_; in vec3 colour_; uniform vec3 light; uniform float ambient; out vec4 pixel;
void main() {
    vec3 n = normalize(normal_);
    float lit = 0.75 * max(dot(n, light), 0.0) + 0.25 * (0.5 - 0.5 * n.y);
    pixel = vec4(colour_ * (ambient + (1.0 - ambient) * lit), 1);
}"""
_NEAR, _FAR = 0.1, 100.0  # metres


class Drawing:
    """Draws surfaces of the same triangles (T, 3) again and again, in square images.

    Raises InputError where moderngl or EGL is missing.
    """

    def __init__(self, triangles: NDArray[np.int32], side: int) -> None:
        self._triangles, self._side = triangles, side
        self._context: Any = _context()
        self._program = self._context.program(vertex_shader=_VERTEX, fragment_shader=_FRAGMENT)
        colour = self._context.renderbuffer((side, side), 4)
        depth = self._context.depth_renderbuffer((side, side))
        self._target = self._context.framebuffer([colour], depth)
        self._context.enable(self._context.DEPTH_TEST)

    def __call__(
        self,
        vertices: FloatArray,
        colours: FloatArray,
        intrinsics: FloatArray,
        light: FloatArray,
        ambient: float,
    ) -> NDArray[np.uint8]:
        """(S, S, 4) uint8, red first, then how much of a pixel is covered.

        vertices    (V, 3) camera frame, metres
        colours     (V, 3) 0..1
        intrinsics  (3, 3) pixels, the centre of the first pixel at (0, 0)
        light       (3,) unit vector towards it
        """
        data = np.concatenate([vertices, self._normals(vertices), colours], 1).astype("f4")
        buffers = [self._context.buffer(one.tobytes()) for one in (data, self._triangles)]
        surface = self._context.vertex_array(
            self._program, [(buffers[0], "3f 3f 3f", "place", "normal", "colour")], buffers[1]
        )
        camera = _projection(intrinsics, self._side)
        self._program["camera"].write(camera.T.astype("f4").tobytes())
        self._program["light"].value = tuple(light)
        self._program["ambient"].value = ambient
        self._target.use()
        self._target.clear(0, 0, 0, 0, depth=1.0)
        surface.render()
        pixels = np.frombuffer(self._target.read(components=4), np.uint8)
        for one in (surface, *buffers):
            one.release()
        return pixels.reshape(self._side, self._side, 4)[::-1].copy()

    def close(self) -> None:
        """Free the context."""
        self._context.release()

    def _normals(self, vertices: FloatArray) -> FloatArray:
        first, second, third = vertices[self._triangles].swapaxes(0, 1)
        of_faces = np.cross(second - first, third - first)
        normals = np.zeros_like(vertices)
        for corner in self._triangles.T:
            for axis in range(3):
                normals[:, axis] += np.bincount(corner, of_faces[:, axis], len(vertices))
        lengths = np.linalg.norm(normals, axis=1, keepdims=True)
        units: FloatArray = normals / np.maximum(lengths, 1e-12)
        return units


def _context() -> Any:
    try:
        import moderngl
    except ImportError as error:
        raise InputError(
            f"drawing needs moderngl, which cannot be imported ({error}): pip install moderngl"
        ) from error
    try:
        return moderngl.create_context(standalone=True, backend="egl")
    except Exception as error:
        raise InputError(
            f"drawing needs OpenGL through EGL ({error}): apt-get install libegl1 libgl1-mesa-dri"
        ) from error


def _projection(intrinsics: FloatArray, side: int) -> FloatArray:
    """(4, 4) from the camera frame (z forward, y down) to OpenGL's clip space."""
    scaled = 2 * intrinsics / side
    projection = np.zeros((4, 4), np.float32)
    projection[0, 0], projection[0, 2] = scaled[0, 0], scaled[0, 2] + 1 / side - 1
    projection[1, 1], projection[1, 2] = -scaled[1, 1], 1 - 1 / side - scaled[1, 2]
    projection[2, 2] = (_FAR + _NEAR) / (_FAR - _NEAR)
    projection[2, 3] = -2 * _FAR * _NEAR / (_FAR - _NEAR)
    projection[3, 2] = 1
    return projection
