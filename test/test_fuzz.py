"""A few hundred inputs for each target of `make fuzz`, and the seeds of what was found."""

import json
import sys
from itertools import count

import pytest

from benchmark import fuzz_episodes
from benchmark.fuzz import parse_arguments, shards_of
from benchmark.fuzz_episodes import (
    SEEDS,
    TARGETS,
    cases,
    kind_of,
    make_target,
    read_progress,
    run_shard,
    running_episode,
    skip_episode,
    tried,
)
from benchmark.fuzz_target import Case
from erd_ros.errors import BackendError, InputError

pytest.importorskip("torch", reason="PyTorch is not installed: the files have error models")
INPUTS = 400


@pytest.fixture(scope="module")
def targets():
    """Makes each target once; packages that it stands in for are not installed for other tests."""
    made, before = {}, set(sys.modules)
    yield lambda name: made.get(name) or made.setdefault(name, make_target(name))
    for name in set(sys.modules) - before:
        if sys.modules[name].__spec__ is None:
            del sys.modules[name]


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_breaks_what_must_hold(targets, name):
    refused = accepted = 0
    for episode in count():
        for case in cases(targets(name), name, 18, episode):
            is_refused, wrong, _ = tried(case)
            assert not wrong, f"episode {episode}: {wrong}\n{case.text()[:2000]}"
            refused, accepted = refused + is_refused, accepted + (not is_refused)
        if refused + accepted >= INPUTS:
            break
    # Neither refused at the door nor all harmless.
    assert min(refused, accepted) > 0.02 * INPUTS


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_found_once_is_found_no_more(targets, name):
    for seed in json.loads((SEEDS / f"{name}.json").read_text()):
        for case in cases(targets(name), name, seed["seed"], seed["episode"]):
            assert not tried(case)[1], f"{seed}: {case.text()[:2000]}"


def test_an_episode_is_the_same_each_time(targets):
    texts = [[case.text() for case in cases(targets("files"), "files", 1, 2)] for _ in range(2)]
    assert texts[0] == texts[1]
    assert texts[0] != [case.text() for case in cases(targets("files"), "files", 1, 3)]


def raising(error):
    def run():
        raise error

    return Case(lambda: "", run)


def test_what_counts_as_a_finding(monkeypatch):
    assert tried(Case(lambda: "", list))[:2] == (False, [])
    assert tried(raising(InputError("no")))[:2] == (True, [])
    assert tried(raising(BackendError("no")))[1] == ["the backend failed: no"]
    (wrong,) = tried(raising(KeyError("x")))[1]
    assert kind_of(wrong) == "KeyError: 'x' < run"
    monkeypatch.setattr(fuzz_episodes, "LONGEST_S", 0.001)
    (slow,) = tried(Case(lambda: "", lambda: [sum(range(10**6)), []][1]))[1]
    assert slow.startswith("it took ")


def test_counts_go_on_after_a_kill_and_behind_what_ended_the_process(tmp_path):
    arguments = ["--inputs", "60", "--jobs", "1", "--targets", "images", "--state", str(tmp_path)]
    (shard,) = shards_of(parse_arguments(arguments), 0)
    run_shard(shard._replace(inputs=10))
    first = read_progress(shard)
    assert (first.episode, first.inputs) == (1, 40)  # episodes are not cut
    shard.at.write_text("1")
    running, episode, _ = running_episode([shard])
    assert (running, episode) == (shard, 1)
    skip_episode(shard, episode, "ended the process with code -11")
    run_shard(shard)
    last = read_progress(shard)
    assert (last.episode, last.inputs, last.skipped) == (3, 80, [1])
    assert last.kinds["ended the process with code #"] == 1
    (seed,) = (tmp_path / "findings").glob("images_ended_the_process*.json")
    assert json.loads(seed.read_text())["episode"] == 1
