"""Fast DDS' profile, and other files that the package ships beside its code."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

# Fast DDS 2 reads the first, 3 the second; both name the file of its profile.
FASTDDS_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")


def share_file(name: str) -> Path | None:
    """A file that the package ships beside its code, e.g. config/fastdds.xml; None = not there."""
    prefixes = [sys.prefix, *os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)]
    folders = [Path(__file__).resolve().parents[1]]
    folders += [Path(prefix) / "share" / "erd_ros" for prefix in prefixes if prefix]
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def fastdds_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that name Fast DDS' profile; the user's own file, named by either, goes first.

    Empty where the package's file is not there.
    """
    given = next((environment[name] for name in FASTDDS_VARIABLES if environment.get(name)), None)
    profile = given or share_file("config/fastdds.xml")
    return dict.fromkeys(FASTDDS_VARIABLES, str(profile)) if profile else {}
