"""The runs of the papers' tables, and words and kinds of actions in them; nothing is trained."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from erd_ros.report import around_section
from erd_ros.reproduce import catalogue
from erd_ros.reproduce.kinds import OTHER, by_kind, kind_of
from erd_ros.reproduce.page import change
from erd_ros.reproduce.runs import Run, Workplace
from erd_ros.reproduce.tables import TABLES

ROOT = Path(__file__).resolve().parents[1]
LIFTERS = ("linear", "lcn", "semgcn")
ROOTS = ("given", "perspective")
INPUTS = ("gt2d", "det2d")
RUNS = [
    *(catalogue.erd_run(one, i, r) for one in LIFTERS for i in INPUTS for r in ROOTS),
    *(catalogue.erd_run("linear", i, "given", f) for i in INPUTS for f in ("init2d", "concat")),
    *(catalogue.pca_run(trained_on) for trained_on in INPUTS),
    catalogue.joint_run(), catalogue.root_once_run(), catalogue.many_roots_run(),
    *(catalogue.abspose_run(c) for c in ((), ("scale",), ("location", "scale"))),
    catalogue.abspose_fixed_run(),
    *(catalogue.abspose_error_run(kind) for kind in ("gaussian", "mixture")),
]  # fmt: skip


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_shipped_configurations_make_every_run(run, tmp_path):
    """What a run must have in common with its lifter's, and with all others."""
    place = Workplace(tmp_path, ROOT / "config" / "train", tmp_path)
    config, linear = place.config(run), place.config(Run("linear"))
    assert config.name == run.name
    for name in ("lifter_steps", "batch_size", "learning_rate", "last_learning_rate", "sources"):
        assert getattr(config, name) == getattr(linear, name), name
    assert (config.simulation.detector == "error_model") == bool(run.error_model)
    if run.lifter:
        of_lifter = place.config(run.lifter)
        assert of_lifter.model.steps == 0
        assert of_lifter.simulation == config.simulation
        for name in ("inputs", "lifter", "lifter_size", "relative_to"):
            assert getattr(of_lifter.model, name) == getattr(config.model, name)


@pytest.mark.parametrize("lifter", ["lcn", "semgcn", "abspose"])
def test_configurations_differ_in_the_model_alone(lifter, tmp_path):
    place = Workplace(tmp_path, ROOT / "config" / "train", tmp_path)
    one, linear = (
        asdict(place.config(Run("same", f"{lifter}.yaml"))),
        asdict(place.config(Run("same"))),
    )
    different = {name for name in linear if one[name] != linear[name]}
    # AbsPoseLifter has its own recipe, and no regressors.
    own = {"decay", "statistics_samples", "regressor_steps"} if lifter == "abspose" else set()
    assert different <= {"model", "loss", "optimizer", *own}


def test_runs_of_one_name_are_one_run():
    every = [*RUNS, *(run.lifter for run in RUNS if run.lifter)]
    assert len({run.name for run in every}) == len(set(every))


@pytest.mark.parametrize("table", TABLES)
def test_the_page_of_results_has_a_section(table):
    around_section(ROOT / "docs" / "results.md", f"erd reproduce {table}")


def test_kinds_of_actions():
    assert kind_of("walk on uneven terrain | Subject #3") == "walk"
    assert kind_of("B16 Walk Trun Change") == "walk"
    assert kind_of("C04 Run To Walk") == "run"
    assert kind_of("standing shoulder abduction") == "wave, clap, arms"
    assert kind_of("sit to stand (incorrect form)") == "sit"
    assert kind_of("walk like a dinosaur | run, jump") == "walk"
    assert kind_of("") == OTHER
    index, kinds = by_kind(np.array([1, 0, 1]), ["sit down", "jumping jacks"])
    assert [kinds[one] for one in index] == ["jump", "sit", "jump"]


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (37.5, 33.9, "lowers MPJPE by 9.6 %"),
        (10.0, 11.0, "raises MPJPE by 10.0 %"),
        (53.4, 53.41, "leaves MPJPE as it is"),
        (0.0, 0.0, "leaves MPJPE as it is"),
    ],
)
def test_a_change_in_words(before, after, text):
    assert change(before, after) == text
