"""What an error advises can be done where it is raised: a node has parameters, no options."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "erd_ros"
OF_NODES = sorted(
    path for folder in ("ros", "runtime", "geometry") for path in (PACKAGE / folder).rglob("*.py")
)
# What an option may stand behind: the command that has it.
COMMAND = r"(erd (demo|export|calibrate) |rerun |erd_ros\.ros\.parameters )[^;)]*$"


def raised_texts(path: Path):
    """The strings in what a module raises."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Raise):
            yield "".join(
                part.value
                for part in ast.walk(node)
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            )


@pytest.mark.parametrize("path", OF_NODES, ids=lambda path: path.stem)
def test_no_error_of_a_node_advises_an_option_of_a_command_or_a_parameter_it_lacks(path):
    for text in raised_texts(path):
        assert "choose backend" not in text, text
        assert "another backend" not in text, text
        assert "use model_complexity" not in text, text
        for option in re.finditer(r"(?<![\w-])--[a-z]", text):
            assert re.search(COMMAND, text[: option.start()]) or "fov, --fov" in text, text
