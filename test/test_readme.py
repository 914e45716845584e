"""README says what the code does: its tables are compared with the running node and the source."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
INTERNAL = {"/rosout", "/parameter_events"}


def section(title):
    """The text below a heading, up to the next."""
    return re.split(rf"^## {title}\n", README, flags=re.M)[1].split("\n## ")[0]


def table(title):
    """Rows below the header of a section's table, each a list of cells without backquotes."""
    rows = [line for line in section(title).splitlines() if line.startswith("|")]
    return [
        [cell.replace("`", "").strip() for cell in row.strip("|").split("|")] for row in rows[2:]
    ]


def fields(text):
    """Names of the fields of a message, constants left out."""
    return re.findall(r"^\S+\s+(\w+)\s*$", re.sub(r"#.*", "", text), re.M)


def test_messages():
    rows = {name: (said, meaning) for name, said, meaning in table("Messages")}
    assert sorted(rows) == sorted(path.stem for path in (ROOT / "msg").glob("*.msg"))
    for message, (said, _) in rows.items():
        text = (ROOT / "msg" / f"{message}.msg").read_text()
        assert said == ", ".join(fields(text)), message


def test_parameters():
    pytest.importorskip("rclpy", reason="rclpy is not installed: there is no node")
    from erd_ros.ros import parameters

    assert parameters.to_markdown().strip() in section("Parameters"), (
        "paste the output of: python -m erd_ros.ros.parameters"
    )


@pytest.mark.parametrize("mode", ["image", "keypoints"])
def test_topics(mode, tmp_path):
    pytest.importorskip("rclpy", reason="rclpy is not installed: there is no node")
    if mode == "image":
        pytest.importorskip("mediapipe", reason="mediapipe is not installed: no detector")
    published, subscribed = topics_of_node(mode, tmp_path)
    rows = table("Topics")
    if importlib.util.find_spec("tf2_msgs") is None:  # the node says that TF is off
        rows = [row for row in rows if row[0] != "/tf"]
    if importlib.util.find_spec("hri_msgs") is None:
        rows = [row for row in rows if not row[0].startswith("/humans")]
    assert published == {(name, kind) for name, kind, way, _ in rows if way == "out"}
    assert subscribed == {
        (name, kind) for name, kind, way, _ in rows if way in ("in", f"in, input: {mode}")
    }


def test_services():
    rows = {kind.removeprefix("erd_ros/"): said for _, kind, said, _ in table("Services")}
    files = {path.stem: path.read_text() for path in (ROOT / "srv").iterdir()}
    assert rows == {name: ", ".join(fields(text.split("\n---")[0])) for name, text in files.items()}


def topics_of_node(mode, directory):
    """What a running node publishes and subscribes, as README names it."""
    from ros_harness import Client, NodeProcess, next_domain

    domain = next_domain()
    arguments = ["--ros-args", "-p", f"input:={mode}"]
    process = NodeProcess("erd_ros.ros.node", arguments, domain, directory)
    client = Client(domain)
    try:
        client.wait_for(lambda: "ready on" in process.log(), "the node")
        nodes = client.node.get_node_names_and_namespaces
        client.wait_for(lambda: ("erd_node", "/") in nodes(), "discovery")
        return tuple(
            {
                (readme_name(name), kinds[0].replace("/msg/", "/"))
                for name, kinds in ask("erd_node", "/")
                if name not in INTERNAL
            }
            for ask in (
                client.node.get_publisher_names_and_types_by_node,
                client.node.get_subscriber_names_and_types_by_node,
            )
        )
    finally:
        client.close()
        process.stop()


def readme_name(topic):
    """Private topics as ~/name, the system's with their slash, the node's inputs without."""
    if topic.startswith("/erd_node/"):
        return topic.replace("/erd_node/", "~/")
    return topic if topic.startswith(("/tf", "/diagnostics", "/humans")) else topic.lstrip("/")


def test_commands_exist():
    from erd_ros.cli import COMMANDS

    commands = set(re.findall(r"\berd (\w+)\b", "\n".join(re.findall(r"`+([^`]+)`+", README))))
    assert commands
    assert commands <= set(COMMANDS)
    said = README + (ROOT / "CONTRIBUTING.md").read_text()
    targets = set(re.findall(r"(?:^|`)make (\w+)", said, re.M))
    assert targets <= set(re.findall(r"^(\w+)(?: \w+)*:", (ROOT / "Makefile").read_text(), re.M))
    for launch in re.findall(r"ros2 launch erd_ros (\S+\.py)", README):
        assert (ROOT / "launch" / launch).is_file()


def test_links_lead_somewhere():
    texts = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    broken = [
        f"{text.name}: {target}"
        for text in texts
        for target in re.findall(r"\]\(([^)#:]+)[^):]*\)", text.read_text())
        if not (text.parent / target).exists()
    ]
    assert not broken, broken


def test_python_example_is_real(tmp_path, shared_media, monkeypatch):
    """The example runs as it stands, on a frame of a real video."""
    import cv2

    video = cv2.VideoCapture(str(shared_media / "one_person_indoor.mp4"))
    video.set(cv2.CAP_PROP_POS_FRAMES, 300)
    assert cv2.imwrite(str(tmp_path / "photo.jpg"), video.read()[1])
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", README, re.S)
    names = {}
    exec(compile(example, "README.md", "exec"), names)
    assert names["people"].ids == ["b0001"]
    assert 1 < names["people"].root[0, 2] < 10  # metres: he stands in a room
