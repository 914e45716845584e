"""How a survey and a body model become one table of bodies."""

import sys

import numpy as np
import pytest
from tiny_mocap import STANDING

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from erd_ros.cli import main
from erd_ros.data.anny_bodies import Modelled, modelled_bodies
from erd_ros.data.body_making import made_table
from erd_ros.errors import InputError
from erd_ros.mocap.ansur import bone_lengths, read_survey
from erd_ros.mocap.body_table import LANDMARKS
from erd_ros.skeleton import H36M17

COUNT = 600


@pytest.fixture(scope="module")
def survey(shared_data):
    return read_survey(shared_data / "ansur2.csv")


@pytest.fixture(scope="module")
def modelled():
    """One figure in many sizes: a model whose bodies all have the same proportions."""
    generator = np.random.default_rng(0)
    age = generator.uniform(3, 80, COUNT)
    height = np.minimum(0.8 + 0.055 * age, 1.75) * np.exp(generator.normal(0, 0.05, COUNT))
    scale = (height / 1.7)[:, None, None]
    front = np.cross(STANDING[11] - STANDING[14], [0, 0, 1.0])
    front /= np.linalg.norm(front)
    head, ankle = STANDING[H36M17.index("neck_nose")], STANDING[H36M17.index("left_ankle")]
    at = {"nose": head + 0.1 * front, "left_big_toe": ankle + 0.2 * front}
    marks = np.stack([at.get(name, head if "e" in name[5:7] else ankle) for name in LANDMARKS])
    return Modelled(
        np.where(np.arange(COUNT) % 2, "f", "m"),
        age.astype(np.float32),
        height.astype(np.float32),
        (scale * STANDING).astype(np.float32),
        (scale * marks).astype(np.float32),
    )


def test_modelled_bodies_get_the_survey_s_proportions_and_sizes(survey, modelled):
    table = made_table(survey, modelled, 0)
    model = table[table.source == "anny"]
    grown = model[model.age >= 18]
    real = bone_lengths(survey)
    for sex in "fm":
        people, bodies = survey.sex == sex, grown[grown.sex == sex]
        assert bodies.height.mean() == pytest.approx(survey.height[people].mean(), abs=0.002)
        assert bodies.height.std() == pytest.approx(survey.height[people].std(), abs=0.004)
    ratios = grown.bones / grown.height[:, None]
    of_real = real / survey.height[:, None]
    np.testing.assert_allclose(ratios.mean(0) / of_real.mean(0), 1, atol=0.04)
    wanted = np.mean([(np.log(of_real[survey.sex == sex])).std(0) for sex in "fm"], 0)
    np.testing.assert_allclose(np.log(ratios).std(0), wanted, rtol=0.3)


def test_children_stay_as_tall_as_their_age(survey, modelled):
    table = made_table(survey, modelled, 0)
    model = table[table.source == "anny"]
    for age in range(4, 16, 3):
        near = (model.age > age - 1) & (model.age < age + 1)
        expected = modelled.height[near].mean()
        assert model.height[near].mean() == pytest.approx(expected, rel=0.04)


def test_real_bodies_are_the_survey_s(survey, modelled):
    table = made_table(survey, modelled, 0)
    real = table[table.source == "ansur2"]
    np.testing.assert_allclose(real.bones, bone_lengths(survey), rtol=1e-6)
    eyes = real.landmarks[:, LANDMARKS.index("left_eye"), 1]
    assert eyes.mean() == pytest.approx(0.0315, abs=0.001)
    assert (real.split == "train").mean() == pytest.approx(0.8, abs=0.001)


def test_the_same_seed_makes_the_same_table(survey, modelled):
    one, same, other = (made_table(survey, modelled, seed).bones for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_without_the_body_model_the_way_out_is_named(tmp_path, shared_data, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "anny", None)
    with pytest.raises(InputError, match="pip install anny"):
        modelled_bodies(10, 0)
    with pytest.raises(InputError, match="1 bodies, expected 2"):
        modelled_bodies(1, 0)
    out = tmp_path / "bodies.npz"
    assert main(["data", "bodies", str(shared_data / "ansur2.csv"), "--out", str(out)]) == 1
    assert "pip install anny" in capsys.readouterr().err
    assert not out.exists()
