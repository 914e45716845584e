"""The ROS variables of the demo's processes: alone on this machine, or in the user's network."""

import os
import random
import socket
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from erd_ros.errors import BackendError, InputError
from erd_ros.fastdds import FASTDDS_VARIABLES, fastdds_environment, share_file

# Domains above 100 use ports that Linux hands out to outgoing connections.
_LAST_DOMAIN = 100
_LAST_DDS_DOMAIN = 232  # the ports of a higher one are above 65535 (DDSI-RTPS 9.6.1.1)
_FAST_DDS = "rmw_fastrtps_cpp"
_RANGES = ("SUBNET", "LOCALHOST", "SYSTEM_DEFAULT")
# What changes whom a ROS process finds, or by what way.
_NETWORK = (
    "ROS_AUTOMATIC_DISCOVERY_RANGE",
    "ROS_DISCOVERY_SERVER",
    "ROS_LOCALHOST_ONLY",
    "ROS_SECURITY_ENABLE",
    "ROS_STATIC_PEERS",
    "ROS_SUPER_CLIENT",
    "CYCLONEDDS_URI",
    "FASTDDS_ENVIRONMENT_FILE",
    *FASTDDS_VARIABLES,
)


@dataclass(frozen=True)
class RosEnvironment:
    """Environment of the demo's processes, and one line for each variable that needs a word.

    variables  everything that a process gets
    remarks    what the user has set that is not used, or that may keep the processes apart
    """

    variables: Mapping[str, str]
    remarks: tuple[str, ...] = ()


def ros_environment(user: Mapping[str, str]) -> RosEnvironment:
    """What the demo's processes get, from the environment of the user.

    Without a ROS_DOMAIN_ID they take a free one and talk on this machine alone, whatever else is
    set; with one they are in the user's network and keep every setting. Raises ErdError, in one
    line, for a setting with which no ROS process starts or none finds another.
    """
    variables = dict(user)
    variables.setdefault("AMENT_PREFIX_PATH", sys.prefix)
    variables.setdefault("HOME", str(Path.cwd()))  # rclpy logs below it
    variables.setdefault("RUST_LOG", "warn")  # Rerun's
    if variables.get("ROS_DOMAIN_ID"):
        return _in_the_network(variables)
    return _alone(variables)


def _alone(variables: dict[str, str]) -> RosEnvironment:
    given = [name for name in _NETWORK if variables.pop(name, "")]
    remarks = [_not_used(name) for name in given]
    installed = _installed_middleware(variables)
    asked = variables.get("RMW_IMPLEMENTATION", "")
    if _FAST_DDS in installed:
        if asked not in ("", _FAST_DDS):
            remarks.append(_not_used("RMW_IMPLEMENTATION"))
        variables["RMW_IMPLEMENTATION"] = _FAST_DDS
    else:
        _check_middleware(asked, installed)
        remarks.append(f"{_FAST_DDS} is not installed: other machines may reach these processes")
    variables["ROS_DOMAIN_ID"] = str(free_domain())
    # Any other range makes rmw_fastrtps add a transport of its own, on every interface.
    variables["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "SYSTEM_DEFAULT"
    variables["SKIP_DEFAULT_XML"] = "1"  # a profile that lies in the current folder
    profile = share_file("config/fastdds_loopback.xml")
    if profile is not None:
        variables.update(dict.fromkeys(FASTDDS_VARIABLES, str(profile)))
    return RosEnvironment(variables, tuple(remarks))


def _not_used(name: str) -> str:
    return f"{name} is not used: the demo keeps to this machine; set ROS_DOMAIN_ID to use it"


def _in_the_network(variables: dict[str, str]) -> RosEnvironment:
    _check_domain(variables["ROS_DOMAIN_ID"])
    _check_middleware(variables.get("RMW_IMPLEMENTATION", ""), _installed_middleware(variables))
    given = [name for name in ("RMW_IMPLEMENTATION", *_NETWORK) if variables.get(name)]
    for name in given:
        _CHECKS.get(name, _accept)(name, variables[name])
    domain = variables["ROS_DOMAIN_ID"]
    remarks = [
        f"ROS_DOMAIN_ID={domain} is used: others in this domain see the demo; unset, nobody does"
    ]
    remarks += [
        f"{name}={variables[name]} is used; if the processes do not find each other, unset it"
        for name in given
    ]
    variables.update(fastdds_environment(variables))
    return RosEnvironment(variables, tuple(remarks))


def _check_domain(text: str) -> None:
    if not (text.isascii() and text.isdigit() and int(text) <= _LAST_DDS_DOMAIN):
        raise InputError(
            f"ROS_DOMAIN_ID is '{text}', expected a whole number from 0 to {_LAST_DDS_DOMAIN}"
        )


def _installed_middleware(variables: Mapping[str, str]) -> list[str]:
    """The RMW implementations of the ROS in AMENT_PREFIX_PATH, by their entries in its index."""
    prefixes = [Path(prefix) for prefix in variables["AMENT_PREFIX_PATH"].split(os.pathsep)]
    found = {
        entry.name
        for prefix in prefixes
        for entry in (prefix / "share/ament_index/resource_index/rmw_typesupport").glob("rmw_*")
    }
    return sorted(found - {"rmw_implementation"})


def _check_middleware(asked: str, installed: list[str]) -> None:
    if asked and installed and asked not in installed:
        raise BackendError(
            f"RMW_IMPLEMENTATION is '{asked}', which is not installed here; unset it or choose "
            f"{' or '.join(installed)}"
        )


def _check_range(name: str, value: str) -> None:
    if value not in _RANGES:
        raise InputError(
            f"{name} is '{value}': the demo's processes cannot find each other; choose "
            f"{', '.join(_RANGES)}"
        )


def _check_profile(name: str, value: str) -> None:
    try:
        ElementTree.parse(value)
    except (OSError, ElementTree.ParseError) as error:
        raise InputError(
            f"{name} names '{value}', which is no XML file that can be read; unset it or mend it"
        ) from error


def _check_security(name: str, value: str) -> None:
    if value == "true" and not os.path.isdir(os.environ.get("ROS_SECURITY_KEYSTORE", "")):
        raise InputError(
            f"{name} is 'true', but ROS_SECURITY_KEYSTORE names no folder; set it, or unset {name}"
        )


def _accept(_name: str, _value: str) -> None:
    pass


_CHECKS: dict[str, Callable[[str, str], None]] = {
    "ROS_AUTOMATIC_DISCOVERY_RANGE": _check_range,
    "ROS_SECURITY_ENABLE": _check_security,
    **dict.fromkeys(FASTDDS_VARIABLES, _check_profile),
}


def free_domain() -> int:
    """A DDS domain that nobody on this machine is in, by the ports of its discovery.

    Raises BackendError when there is none.
    """
    domains = list(range(1, _LAST_DOMAIN + 1))
    random.shuffle(domains)
    for domain in domains:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                # DDSI-RTPS 9.6.1.1: multicast discovery of a domain.
                probe.bind(("", 7400 + 250 * domain))
            except OSError:
                continue
            return domain
    raise BackendError("every ROS_DOMAIN_ID from 1 to 100 is in use here; set one that you share")
