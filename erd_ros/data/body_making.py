"""A table of bodies from a survey of real adults and a body model of all ages.

The model knows how proportions go with age, but its adults' sizes follow from their proportions,
which real people's do not. So each modelled body gets the deviations of a real person's
proportions, and a size that follows from its own in part only.
"""

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from erd_ros.data.anny_bodies import GROWN_UP, Modelled
from erd_ros.mocap.ansur import Survey, bone_lengths, split_of
from erd_ros.mocap.body_table import BONES, IN_SIZE, LANDMARKS, BodyTable
from erd_ros.mocap.landmarks import FACE, FOOT, foot_frames, head_frames, local_places
from erd_ros.skeleton import H36M17

Array = NDArray[np.float64]

_HEAD = BONES.index("head_top")
_EYE = LANDMARKS.index("left_eye")
_SEXES = ("f", "m")
# Correlation of a modelled body's size with what its proportions say; so chosen that sizes of
# grown-ups given all proportions vary as the survey's do, by 4 %.
_SIZE_FOLLOWS = 0.68
_GROWTH_DEGREE = 5  # of the polynomial of log height by age, children


def made_table(survey: Survey, modelled: Modelled, seed: int) -> BodyTable:
    """The survey's people, then the modelled bodies with the survey's spread mixed in."""
    real, model = bone_lengths(survey), _modelled_lengths(modelled)
    grown = modelled.age >= GROWN_UP
    # Both sources mean the same joints: the grown-ups' mean proportions are the survey's.
    calibration = _shape(real, survey.height) / _shape(model[grown], modelled.height[grown])
    landmarks = _modelled_landmarks(modelled)
    landmarks[:, FACE, 2] *= calibration[_HEAD]
    model = model * calibration
    of_real = _real_landmarks(survey, real, modelled, model, landmarks)
    generator = np.random.default_rng(seed)
    deviations = _drawn_deviations(survey, real, modelled, model, generator)
    scale = _other_sizes(survey, modelled, generator)
    changed = _of_same_size(model * deviations[:, :-1], model)
    landmarks[:, FACE, 2] *= (changed / model)[:, _HEAD, None]
    landmarks[:, FOOT] *= deviations[:, -1, None, None]
    landmarks *= scale[:, None, None]
    changed *= scale[:, None]
    parts = (
        ("ansur2", survey.sex, survey.age, survey.height, real, of_real),
        ("anny", modelled.sex, modelled.age, modelled.height * scale, changed, landmarks),
    )
    return _joined([_table(*part) for part in parts])


def _table(source: str, sex: NDArray[np.str_], *of_body: NDArray[np.floating[Any]]) -> BodyTable:
    """``of_body`` are age, height, bones and landmarks."""
    numbers = (one.astype(np.float32) for one in of_body)
    return BodyTable(np.full(len(sex), source), split_of(len(sex)), sex, *numbers)


def _joined(parts: list[BodyTable]) -> BodyTable:
    names = [one.name for one in fields(BodyTable)]
    return BodyTable(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _shape(bones: Array, height: NDArray[np.floating[Any]]) -> Array:
    """(10,) mean lengths by the height."""
    mean: Array = (bones / height[:, None]).mean(0)
    return mean


def _modelled_lengths(modelled: Modelled) -> Array:
    children = [H36M17.index(name) for name in BONES]
    parents = [H36M17.parents[child] for child in children]
    bones = modelled.joints[:, children] - modelled.joints[:, parents]
    return np.asarray(np.linalg.norm(bones, axis=-1), np.float64)


def _modelled_landmarks(modelled: Modelled) -> Array:
    """(B, 6, 3) places in the frames of ``mocap/landmarks.py``."""
    toes = modelled.landmarks[:, LANDMARKS.index("left_big_toe")]
    places = np.empty(modelled.landmarks.shape)
    for which, frames in (
        (FACE, head_frames(modelled.joints)),
        (FOOT, foot_frames(modelled.joints, toes, "left")),
    ):
        places[:, which] = local_places(*frames, modelled.landmarks[:, which])
    return places


def _size(bones: Array) -> Array:
    size: Array = bones[:, IN_SIZE].sum(1)
    return size


def _of_same_size(bones: Array, as_these: Array) -> Array:
    same: Array = bones * (_size(as_these) / _size(bones))[:, None]
    return same


def _proportions(bones: Array, foot: Array) -> Array:
    """(N, 11) logarithms of bones and foot in sizes."""
    logarithms: Array = np.log(np.column_stack([bones, foot]) / _size(bones)[:, None])
    return logarithms


def _drawn_deviations(
    survey: Survey, real: Array, modelled: Modelled, model: Array, generator: Generator
) -> Array:
    """(B, 11) factors of bones and foot, each row of one real person of the same sex who trains.

    A bone's deviation is made smaller where grown-up bodies of the model vary already, so that
    their variance together is the real one.
    """
    of_real = _proportions(real, survey.measures["footlength"])
    of_model = _proportions(model, model[:, _HEAD])
    trains = split_of(len(real)) == "train"
    factors = np.empty_like(of_model)
    for sex in _SEXES:
        own = of_real[trains & (survey.sex == sex)]
        bodies = modelled.sex == sex
        varies = of_model[bodies & (modelled.age >= GROWN_UP)].var(0)
        varies[-1] = 0.0  # the model's foot goes with its size
        level = np.sqrt(np.clip(1 - varies / own.var(0), 0, None))
        drawn = own[generator.integers(len(own), size=bodies.sum())]
        factors[bodies] = np.exp(level * (drawn - own.mean(0)))
    return factors


def _other_sizes(survey: Survey, modelled: Modelled, generator: Generator) -> Array:
    """(B,) factors: grown-ups become as tall as the survey's, children stay as tall as their age.

    Each is taller or shorter than the mean in part as the model has it, in part by chance.
    """
    height = np.log(modelled.height.astype(np.float64))
    wanted = np.empty_like(height)
    for sex in _SEXES:
        real = np.log(survey.height[survey.sex == sex])
        for grown in (False, True):
            bodies = (modelled.sex == sex) & ((modelled.age >= GROWN_UP) == grown)
            degree = 0 if grown else _GROWTH_DEGREE
            age = modelled.age[bodies].astype(np.float64) / GROWN_UP
            mean = np.polyval(np.polyfit(age, height[bodies], degree), age)
            own = height[bodies] - mean
            level, middle = (real.std() / own.std(), real.mean()) if grown else (1.0, mean)
            chance = own.std() * generator.standard_normal(len(own))
            mixed = _SIZE_FOLLOWS * own + np.sqrt(1 - _SIZE_FOLLOWS**2) * chance
            wanted[bodies] = middle + level * mixed
    factors: Array = np.exp(wanted - height)
    return factors


def _real_landmarks(
    survey: Survey, real: Array, modelled: Modelled, model: Array, landmarks: Array
) -> Array:
    """(N, 6, 3) grown-up bodies' mean landmarks, stretched to each real head and foot."""
    of = survey.measures
    places = np.empty((len(real), len(LANDMARKS), 3))
    for sex in _SEXES:
        people = survey.sex == sex
        bodies = (modelled.sex == sex) & (modelled.age >= GROWN_UP)
        mean = landmarks[bodies].mean(0)
        head, foot = (
            np.stack([_relative(of[name][people]) for name in names], -1)
            for names in (
                ("headlength", "headbreadth", "headlength"),
                ("footlength", "footbreadthhorizontal", "lateralmalleolusheight"),
            )
        )
        head[:, 2] = real[people, _HEAD] / model[bodies, _HEAD].mean()
        stretched = np.empty((people.sum(), len(LANDMARKS), 3))
        stretched[:, FACE] = mean[FACE, :] * head[:, None]
        stretched[:, FOOT] = mean[FOOT, :] * foot[:, None]
        places[people] = stretched
    places[:, _EYE, 1] = of["interpupillarybreadth"] / 2
    return places


def _relative(measure: Array) -> Array:
    relative: Array = measure / measure.mean()
    return relative
