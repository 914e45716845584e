"""`erd demo` as a user runs it: real processes, the report, one line for what cannot be played."""

import json
import os
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

from benchmark.changed_files import mutated
from erd_ros.demo.calibration import camera_from_field_of_view, camera_from_file
from erd_ros.demo.environment import free_domain
from erd_ros.demo.processes import Processes, processes
from erd_ros.errors import BackendError, InputError

ROOT = Path(__file__).resolve().parent.parent
OUTDOOR_CAMERA = ROOT / "config" / "cameras" / "two_people_outdoor.yaml"


NOT_UTF8 = os.fsdecode(b"f\xfcr")


def command(out: Path, *arguments: str) -> list[str]:
    common = ["--headless", "--out", str(out), "--model", model_path(out)]
    return [sys.executable, "-m", "erd_ros.cli", "demo", *common, *arguments]


def erd_demo(out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(out, *arguments), capture_output=True, text=True, cwd=ROOT, timeout=120
    )


def children_of(pid: int) -> list[str]:
    """Command lines of the processes that another one started."""
    lines = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            words = (status.parent / "cmdline").read_text().replace("\0", " ")
        except (OSError, ValueError):
            continue
        if parent == pid:
            lines.append(words)
    return lines


def gone(words: str) -> bool:
    files = Path("/proc").glob("[0-9]*/cmdline")
    return not any(words in _read(file).replace("\0", " ") for file in files)


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""


def test_synthetic_demo_ends_by_itself_with_table_figures_and_picture(tmp_path):
    figures = tmp_path / "figures.json"
    result = erd_demo(tmp_path, "--seconds", "4", "--json", str(figures))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "error against the truth" in result.stdout
    written = json.loads(figures.read_text())
    assert "demo" in written["command"]
    found = written["figures"]
    assert found["people_at_once"] == 2
    assert found["frames_published"] == 100
    assert found["frames_answered"] + found["frames_dropped"] == 100
    assert found["frames_answered"] > 10
    for person in found["people"].values():
        assert person["frames"] >= 10
        assert 0 < person["distance_m"]["median"] < 50
    picture = cv2.imread(str(tmp_path / "demo.png"))
    assert picture.shape == (1000, 1600, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100
    assert gone(str(tmp_path))


def test_interrupted_demo_still_reports_and_leaves_nothing_behind(tmp_path):
    with subprocess.Popen(
        command(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
    ) as demo:
        for line in demo.stdout:
            if "playing" in line:
                break
        time.sleep(5)  # until some frames are answered, on a busy machine too
        children = children_of(demo.pid)
        demo.send_signal(signal.SIGINT)
        rest = demo.stdout.read()
        assert demo.wait(60) == 130
    assert len(children) == 3  # recorder, node, player
    assert "picture:" in rest
    assert "Traceback" not in rest
    assert gone(str(tmp_path))


def test_a_bad_model_ends_the_demo_with_the_nodes_reason(tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    result = erd_demo(tmp_path, "--model", str(broken))
    assert result.returncode == 1
    assert "broken.onnx" in result.stdout + result.stderr
    assert result.stderr.splitlines()[-1].startswith("erd demo: node ended early with code 1")
    assert "Traceback" not in result.stderr
    assert gone(str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--video", "/nowhere.mp4"], "video '/nowhere.mp4' does not exist"),
        (["--video", ""], "the name of the video is empty"),
        (["--video", "README.md"], "is not a video that OpenCV can read"),
        (["--camera", "97"], "there is no camera 97"),
        (["--bag", "/nowhere"], "bag '/nowhere' does not exist"),
        (["--bag", "README.md"], "bag 'README.md' cannot be read"),
        (["--fov", "60"], "--fov is for --video, --camera and --bag"),
        (["--video", "rtsp://camera/1"], "is a stream"),
        (["--video", "/dev/video0"], "give --camera 0"),
        *(
            ([option, NOT_UTF8], f"the name of {option} 'f\\udcfcr' is not in UTF-8; rename it")
            for option in ("--video", "--bag", "--camera-info", "--model", "--out")
        ),
        (["--seconds", "-1"], "--seconds is -1, expected 0 or more"),
        (["--seconds", "nan"], "--seconds is nan"),
        (["--rate", "1000"], "--rate is 1000 Hz, expected 0.1 to 200"),
        (["--bag", ".", "--rate", "5"], "a bag is played as it was recorded"),
    ],
)
def test_what_cannot_be_played_is_one_line_before_anything_starts(
    tmp_path, capsys, monkeypatch, arguments, said
):
    from erd_ros import cli

    monkeypatch.chdir(ROOT)
    assert cli.main(["demo", "--headless", "--out", str(tmp_path), *arguments]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_a_port_that_is_taken_is_said(tmp_path, capsys):
    pytest.importorskip("rerun", reason="rerun-sdk is not installed")
    from erd_ros import cli

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        words = ["demo", "--web", "--web-port", str(port), "--out", str(tmp_path)]
        assert cli.main(words) == 1
    assert f"port {port} is taken" in capsys.readouterr().err


def test_video_of_one_real_person_has_an_adults_size(tmp_path, shared_media):
    """The whole way from image to metres: detector, node, report."""
    pytest.importorskip("mediapipe", reason="mediapipe is not installed")
    from erd_ros.runtime import DEFAULT_MODEL

    if not DEFAULT_MODEL.is_file():
        pytest.skip(f"{DEFAULT_MODEL} is not in the checkout")
    video = shared_media / "two_people_outdoor.mp4"
    figures = tmp_path / "figures.json"
    what = ["--video", str(video), "--camera-info", str(OUTDOOR_CAMERA), "--json", str(figures)]
    result = erd_demo(tmp_path, *what, "--rate", "5", "--seconds", "10")
    assert result.returncode == 0, result.stdout + result.stderr
    people = json.loads(figures.read_text())["figures"]["people"].values()
    longest = max(people, key=lambda person: person["frames"])
    assert 1.5 < longest["height_m"]["median"] < 2.0
    assert 7 < longest["distance_m"]["median"] < 14


def test_calibration_file_is_read_as_written():
    camera = camera_from_file(OUTDOOR_CAMERA)
    assert (camera.width, camera.height) == (1768, 994)
    assert camera.intrinsics.tolist() == [[2520.09, 0, 884], [0, 2520.09, 497], [0, 0, 1]]


def test_field_of_view_is_the_angle_between_the_edges_of_the_image():
    camera = camera_from_field_of_view(768, 432, 60)
    left, right = camera.rays(np.array([[-0.5, 215.5], [767.5, 215.5]]))
    degrees = np.degrees(np.arctan(right[0]) - np.arctan(left[0]))
    assert degrees == pytest.approx(60)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("", "is not one that camera_calibration wrote"),
        ("a: [", "is not one that camera_calibration wrote"),
        ("image_width: 640", "has no 'image_height'"),
        (OUTDOOR_CAMERA.read_text().replace("2520.09", "0.0"), "not calibrated"),
        (OUTDOOR_CAMERA.read_text().replace("1768", ".inf"), "cannot convert float infinity"),
        (OUTDOOR_CAMERA.read_text().replace("2520.09", ".inf"), "inf.*finite"),
        (OUTDOOR_CAMERA.read_text().replace("2520.09", ".nan"), "nan.*finite"),
        (OUTDOOR_CAMERA.read_text().replace("2520.09", "true"), "focal lengths in K are 1 and 1"),
        (OUTDOOR_CAMERA.read_text().replace("1768", "[1768]"), "must be a string.*not 'list'"),
        (OUTDOOR_CAMERA.read_text().replace("1768", "1" + 400 * "0"), "more than the 33.6 million"),
        (OUTDOOR_CAMERA.read_text().replace("plumb_bob", "[a]"), "distortion_model is a list"),
        (OUTDOOR_CAMERA.read_text().replace("plumb_bob", ""), "distortion_model is a NoneType"),
        (OUTDOOR_CAMERA.read_text().replace("994", "!!python/name:os.system"), "could not determ"),
        ("[" * 5000, "is not one that camera_calibration wrote"),
        ("x" * 200_000, "at most 100000 are read"),
        (OUTDOOR_CAMERA.read_text().replace("plumb_bob", "fisheye"), "equidistant"),
    ],
)
def test_a_calibration_that_cannot_be_used_is_said(tmp_path, text, said):
    path = tmp_path / "camera.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=said) as raised:
        camera_from_file(path)
    assert "\n" not in str(raised.value)


def test_calibrations_changed_at_random_are_read_or_refused(tmp_path):
    content, path = OUTDOOR_CAMERA.read_bytes(), tmp_path / "camera.yaml"
    generator = np.random.default_rng(18)
    refused = 0
    for _ in range(400):
        path.write_bytes(mutated(content, generator))
        try:
            camera_from_file(path)
        except InputError as error:
            refused += "\n" not in str(error)
    assert 100 < refused < 400


def test_processes_end_with_the_block_whatever_happens():
    def fail_meanwhile():
        with processes(os.environ) as group:
            group.start("sleeper", ["sleep", "1234.5"])
            raise RuntimeError("meanwhile")

    with pytest.raises(RuntimeError, match="meanwhile"):
        fail_meanwhile()
    assert gone("sleep 1234.5")


def test_processes_end_with_ours_even_when_it_is_killed():
    program = (
        "import os, time\n"
        "from erd_ros.demo.processes import processes\n"
        "with processes(os.environ) as group:\n"
        "    group.start('sleeper', ['sleep', '1234.75'])\n"
        "    print('started', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=ROOT
    ) as ours:
        assert ours.stdout.readline() == b"started\n"
        ours.kill()
    end = time.monotonic() + 10
    while not gone("sleep 1234.75"):
        assert time.monotonic() < end


def test_a_process_that_fails_is_named():
    with processes(os.environ) as group:
        group.start("sleeper", ["sleep", "1234.25"])
        group.start("liar", ["false"])
        with pytest.raises(BackendError, match="liar ended early with code 1"):
            group.wait_for_any("sleeper")
    assert gone("sleep 1234.25")


def test_a_program_that_is_not_there_is_named():
    with pytest.raises(BackendError, match="no_such_program cannot be started"):
        Processes(os.environ).start("ghost", ["no_such_program"])


def test_a_free_domain_is_one_of_those_with_safe_ports():
    assert 1 <= free_domain() <= 100
