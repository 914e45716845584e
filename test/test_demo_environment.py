"""Whom the demo's processes find, and who finds them; what the user has set in ROS's variables."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ros_people import model_path

from erd_ros.demo.environment import ros_environment
from erd_ros.errors import ErdError

ROOT = Path(__file__).resolve().parent.parent
LOOPBACK = ("0100007F", "0100FFEF")  # 127.0.0.1 and the multicast group, which was joined there
HERE, THERE = "10.231.7.1", "10.231.7.2"
NEIGHBOUR = """
import json, os, sys, time, rclpy
rclpy.init()
node = rclpy.create_node(sys.argv[1])
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    rclpy.spin_once(node, timeout_sec=0.05)
print(json.dumps(sorted(node.get_node_names())))
"""
UDP_ALONE = """<dds xmlns="http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles"><profiles>
<transport_descriptors><transport_descriptor><transport_id>u</transport_id><type>UDPv4</type>
</transport_descriptor></transport_descriptors><participant profile_name="p"
is_default_profile="true"><rtps><useBuiltinTransports>false</useBuiltinTransports>
<userTransports><transport_id>u</transport_id></userTransports></rtps></participant>
</profiles></dds>"""


def quietly(*words):
    return subprocess.run(words, capture_output=True, text=True).returncode == 0


@pytest.fixture(scope="module")
def two_hosts():
    """Names of two network namespaces with a cable between them; None where none can be made."""
    here, there = (f"erd{os.getpid()}{side}" for side in "ab")
    if not shutil.which("ip") or not quietly("ip", "netns", "add", here):
        yield None
        return
    try:
        steps = [
            f"netns add {there}",
            f"link add {here} type veth peer name {there}",
            *(f"link set {name} netns {name}" for name in (here, there)),
            *(
                f"-n {name} addr add {address}/24 dev {name}"
                for name, address in ((here, HERE), (there, THERE))
            ),
            *(f"-n {name} link set {end} up" for name in (here, there) for end in (name, "lo")),
        ]
        made = all(quietly("ip", *step.split()) for step in steps)
        yield (here, there) if made else None
    finally:
        for name in (here, there):
            quietly("ip", "netns", "del", name)


@pytest.fixture(scope="module")
def playing(two_hosts, tmp_path_factory):
    """A demo at play, on the first host where there are two: process ids of its processes."""
    folder = tmp_path_factory.mktemp("demo")
    inside = ["ip", "netns", "exec", two_hosts[0]] if two_hosts else []
    command = [*inside, sys.executable, "-m", "erd_ros.cli", "demo", "--headless"]
    command += ["--out", str(folder), "--model", model_path(folder)]
    unset = ("ROS_DOMAIN_ID", "ROS_STATIC_PEERS")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as demo:  # fmt: skip
        assert any("playing" in line for line in demo.stdout)
        yield children_of(demo.pid)
        demo.send_signal(signal.SIGINT)
        demo.stdout.read()
        demo.wait(60)


def children_of(pid):
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def sockets_of(pid):
    """Local addresses of a process' UDP and TCP sockets, as the kernel writes them."""
    links = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(os.readlink(entry))
        except OSError:
            continue
    tables = [Path(f"/proc/{pid}/net/{kind}") for kind in ("udp", "udp6", "tcp", "tcp6")]
    rows = [row.split() for table in tables for row in table.read_text().splitlines()[1:]]
    return {row[1].partition(":")[0] for row in rows if f"socket:[{row[9]}]" in links}


def test_every_socket_of_the_demo_is_on_the_loopback_interface(playing):
    assert len(playing) == 3
    for pid in playing:
        addresses = sockets_of(pid)
        assert addresses, "no socket was found: this test sees nothing"
        assert addresses <= set(LOOPBACK)


def test_another_host_that_knows_address_and_domain_finds_no_node(playing, two_hosts, tmp_path):
    if two_hosts is None:
        pytest.skip("no network namespaces can be made here (ip netns, as root)")
    words = Path(f"/proc/{playing[0]}/environ").read_text().split("\0")
    domain = dict(word.partition("=")[::2] for word in words)["ROS_DOMAIN_ID"]
    profile = tmp_path / "udp.xml"
    profile.write_text(UDP_ALONE)
    environment = os.environ | {
        "ROS_DOMAIN_ID": domain,
        "ROS_STATIC_PEERS": f"{HERE};{THERE}",
        "FASTRTPS_DEFAULT_PROFILES_FILE": str(profile),
        "ROS_LOG_DIR": str(tmp_path),
    }
    runs = [
        subprocess.Popen(
            ["ip", "netns", "exec", host, sys.executable, "-c", NEIGHBOUR, name, "5"],
            env=environment, stdout=subprocess.PIPE, text=True,
        )
        for host, name in zip(two_hosts, ("open_node", "neighbour"), strict=True)
    ]  # fmt: skip
    seen = [json.loads(run.communicate(timeout=60)[0]) for run in runs]
    assert seen[1] == ["neighbour", "open_node"]


def environment_of(**settings):
    plain = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    return ros_environment(
        plain | {"AMENT_PREFIX_PATH": os.environ.get("AMENT_PREFIX_PATH", sys.prefix)} | settings
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ROS_DISCOVERY_SERVER", "10.9.9.9:11811"),
        ("ROS_STATIC_PEERS", "10.9.9.9"),
        ("ROS_SUPER_CLIENT", "TRUE"),
        ("ROS_LOCALHOST_ONLY", "1"),
        ("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF"),
        ("ROS_SECURITY_ENABLE", "true"),
        ("FASTRTPS_DEFAULT_PROFILES_FILE", "/nowhere.xml"),
        ("FASTDDS_DEFAULT_PROFILES_FILE", "/nowhere.xml"),
        ("RMW_IMPLEMENTATION", "rmw_zenoh_cpp"),
    ],
)
def test_alone_a_setting_of_the_users_network_is_not_used_and_named_once(name, value):
    alone = environment_of(**{name: value})
    assert [remark.partition(" ")[0] for remark in alone.remarks] == [name]
    assert alone.variables.get(name) != value
    assert alone.variables["FASTDDS_DEFAULT_PROFILES_FILE"].endswith("fastdds_loopback.xml")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"ROS_DOMAIN_ID": "abc"}, "ROS_DOMAIN_ID is 'abc', expected a whole number from 0 to 232"),
        ({"ROS_DOMAIN_ID": "233"}, "ROS_DOMAIN_ID is '233'"),
        ({"ROS_DOMAIN_ID": "-1"}, "ROS_DOMAIN_ID is '-1'"),
        ({"RMW_IMPLEMENTATION": "rmw_none"}, "RMW_IMPLEMENTATION is 'rmw_none'.*rmw_fastrtps_cpp"),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "OFF"}, "cannot find each other; choose SUBNET"),
        ({"ROS_SECURITY_ENABLE": "true"}, "ROS_SECURITY_KEYSTORE names no folder"),
        ({"FASTRTPS_DEFAULT_PROFILES_FILE": "/nowhere.xml"}, "names '/nowhere.xml'.*unset it"),
        ({"FASTDDS_DEFAULT_PROFILES_FILE": "README.md"}, "names 'README.md'"),
    ],
)
def test_in_the_network_what_no_process_starts_with_is_one_line(settings, said, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("ROS_SECURITY_KEYSTORE", raising=False)
    with pytest.raises(ErdError, match=said) as raised:
        environment_of(**({"ROS_DOMAIN_ID": "7"} | settings))
    assert "\n" not in str(raised.value)


def test_in_the_network_settings_are_kept_and_named_in_one_line_each():
    settings = {
        "ROS_DOMAIN_ID": "7",
        "ROS_DISCOVERY_SERVER": "10.9.9.9:11811",
        "ROS_STATIC_PEERS": "10.9.9.8",
    }
    network = environment_of(**settings)
    assert settings.items() <= network.variables.items()
    assert [remark.partition("=")[0] for remark in network.remarks] == list(settings)
    assert network.variables["FASTRTPS_DEFAULT_PROFILES_FILE"].endswith("/fastdds.xml")


def test_the_command_ends_at_once_with_that_line(tmp_path, capsys, monkeypatch):
    from erd_ros import cli

    monkeypatch.setenv("ROS_DOMAIN_ID", "abc")
    begin = time.monotonic()
    assert cli.main(["demo", "--headless", "--out", str(tmp_path)]) == 1
    assert time.monotonic() - begin < 5
    assert capsys.readouterr().err.splitlines() == [
        "erd demo: ROS_DOMAIN_ID is 'abc', expected a whole number from 0 to 232"
    ]
