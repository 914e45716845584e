"""Prints the build requirements of pyproject.toml, one a line: what pip's isolation would install.

Kept in .venv they make a rebuild of the messages a matter of seconds.
"""

import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    from pip._vendor import tomli as tomllib

text = Path(__file__).resolve().parent.parent.joinpath("pyproject.toml").read_text()
print("\n".join(tomllib.loads(text)["build-system"]["requires"]))
