"""demo.launch.py: its arguments are the player's parameters, its files and executables exist."""

import ast
from dataclasses import fields
from pathlib import Path

import yaml

from erd_ros.ros.player import PACKETS, PlayerParameters

ROOT = Path(__file__).resolve().parent.parent
LAUNCH_FILE = ROOT / "launch" / "demo.launch.py"


def arguments() -> dict[str, tuple[str, str]]:
    """Name to default and description; an expression as default is given as its source."""
    for node in ast.parse(LAUNCH_FILE.read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "ARGUMENTS":
            return {
                key.value: (getattr(pair.elts[0], "value", ""), pair.elts[1].value)
                for key, pair in zip(node.value.keys, node.value.values, strict=True)
            }
    raise AssertionError(f"{LAUNCH_FILE} has no ARGUMENTS")


def test_defaults_are_those_of_the_player():
    given = arguments()
    for field in fields(PlayerParameters):
        if field.name in given and field.name != "loop":  # launched to be watched: it goes on
            assert yaml.safe_load(given[field.name][0] or '""') == field.default, field.name


def test_every_source_is_named_in_its_description():
    said = arguments()["source"][1]
    assert all(source in said for source in PACKETS)


def test_what_it_includes_exists_and_knows_the_arguments_it_gets():
    included = (ROOT / "launch" / "erd.launch.py").read_text()
    for name in ("params_file", "log_level", "rviz", "fixed_frame", "input"):
        assert f'"{name}"' in included
    assert (ROOT / "config" / "erd_node.yaml").is_file()


def test_the_player_is_installed_under_the_name_that_is_launched():
    assert 'executable="erd_player"' in LAUNCH_FILE.read_text()
    assert '"erd_player=erd_ros.ros.player"' in (ROOT / "CMakeLists.txt").read_text()
