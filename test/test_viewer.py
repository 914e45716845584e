"""The viewer's web page in a real browser: skeletons in 3D, with the image beside them."""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from ros_people import model_path

from erd_ros.demo.drawing import colour_of

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 120.0
# SwiftShader, Chromium's own software WebGL, has 6 colour attachments and Rerun 0.23 wants 8;
# Mesa's llvmpipe, which this asks for, has them.
SOFTWARE_WEBGL = ("--use-angle=gl-egl", "--ignore-gpu-blocklist")
QUIET = (
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ATTACHMENTS = """
    (() => { const gl = document.createElement("canvas").getContext("webgl2");
             return gl ? gl.getParameter(gl.MAX_COLOR_ATTACHMENTS) : 0; })()
"""


class Browser:
    """Headless Chromium with one page, driven over its debugging pipe (descriptors 3 and 4)."""

    def __init__(self, chromium: str, profile: Path) -> None:
        browser_reads, self._commands = os.pipe()
        self._answers, browser_writes = os.pipe()

        def give_pipes() -> None:
            ours = os.dup(browser_reads), os.dup(browser_writes)
            os.dup2(ours[0], 3)
            os.dup2(ours[1], 4)

        words = [chromium, "--headless", "--no-sandbox", "--remote-debugging-pipe"]
        words += [f"--user-data-dir={profile}", "--window-size=1400,800"]
        self._process = subprocess.Popen(
            [*words, *SOFTWARE_WEBGL, *QUIET, "about:blank"],
            env={**os.environ, "EGL_PLATFORM": "surfaceless"},
            preexec_fn=give_pipes,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(browser_reads)
        os.close(browser_writes)
        self._count, self._received, self._session = 0, b"", None
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=page, flatten=True)
        self._session = attached["sessionId"]

    def call(self, method: str, **parameters):
        """Send one command of the DevTools protocol and wait for its result."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._received:
                self._received += os.read(self._answers, 1 << 20)
            answer, self._received = self._received.split(b"\0", 1)
            answer = json.loads(answer)
            if answer.get("id") == self._count:
                return answer["result"]

    def screenshot(self) -> np.ndarray:
        """The page (H, W, 3) RGB."""
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        os.close(self._commands)
        os.close(self._answers)


@pytest.fixture
def browser(tmp_path):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("chromium is not installed")
    browser = Browser(chromium, tmp_path / "profile")
    yield browser
    browser.close()


@pytest.fixture
def web_demo(tmp_path):
    """The address of the page of a running `erd demo --web`."""
    pytest.importorskip("rerun", reason="rerun-sdk is not installed")
    port = free_ports()
    words = [sys.executable, "-m", "erd_ros.cli", "demo", "--web", "--web-port", str(port)]
    words += ["--out", str(tmp_path / "out"), "--model", model_path(tmp_path)]
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as demo:
        said = []
        for line in demo.stdout:
            said.append(line)
            if "playing" in line:
                break
        else:
            pytest.fail("the demo ended early:\n" + "".join(said))
        yield next(word for word in "".join(said).split() if word.startswith("http"))
        demo.send_signal(signal.SIGINT)
        said.append(demo.stdout.read())
    assert demo.returncode == 0, "".join(said)


def free_ports() -> int:
    """A port that is free, and the one after it too."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("localhost", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("localhost", port + 1))
            except (OSError, OverflowError):
                continue
            return port


def shows(picture: np.ndarray, person: int) -> bool:
    """Whether a good number of pixels have the colour of a person's bones, light or in shade."""
    colour = np.array(colour_of(person), float)
    pixels = picture.reshape(-1, 3).astype(float)
    brightness = (pixels @ colour) / (colour @ colour)
    off = np.linalg.norm(pixels - brightness[:, None] * colour, axis=-1)
    return int(((off < 12) & (brightness > 0.5)).sum()) > 150


def test_page_shows_two_skeletons_in_3d_and_in_the_image(browser, web_demo, tmp_path):
    browser.call("Page.navigate", url=web_demo)
    evaluated = browser.call("Runtime.evaluate", expression=ATTACHMENTS)
    if evaluated["result"]["value"] < 8:
        pytest.skip("chromium has no WebGL 2 with 8 attachments; install libgl1-mesa-dri, libegl1")
    end = time.monotonic() + PATIENCE_S
    while True:
        picture = browser.screenshot()
        left, right = np.split(picture[60:-40], [picture.shape[1] // 2], axis=1)
        if all(shows(view, person) for view in (left, right) for person in (0, 1)):
            break
        cv2.imwrite(str(tmp_path / "page.png"), picture[..., ::-1])
        assert time.monotonic() < end, f"no skeletons on the page; see {tmp_path}/page.png"
        time.sleep(2)
    # The 3D view has a shaded background and a grid: it is drawn, not a blank page with lines.
    assert len(np.unique(left.reshape(-1, 3), axis=0)) > 1000
