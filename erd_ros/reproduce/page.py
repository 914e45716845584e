"""What a table of the papers looks like in docs/results.md, and in JSON."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from erd_ros.errors import InputError
from erd_ros.reproduce.scoring import Scores

# Epochs of a lifter and of a regressor in the papers (ERD 4.2, AbsPoseLifter 5.1).
_LIFTER_EPOCHS = {"abspose": 300}
_ERD_LIFTER_EPOCHS, _REGRESSOR_EPOCHS = 200, 5

_LEAST_CHANGE = 0.05  # percent; less would read as 0.0

Cell = float | str | None


@dataclass(frozen=True)
class Grid:
    """Numbers under a head, labels in the first column; None stands for what is not known."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A PNG beside the JSON files: ``draw`` writes it to the path that it is given."""

    name: str
    caption: str
    draw: Callable[[Path], None]


@dataclass(frozen=True)
class Report:
    """One table: what it is, its numbers, what they say, and its pictures."""

    title: str
    about: str
    grids: tuple[Grid, ...]
    reading: tuple[str, ...]
    pictures: tuple[Picture, ...] = ()


def row(*cells: Cell) -> tuple[Cell, ...]:
    """Cells of one row."""
    return cells


def change(before: float, after: float, what: str = "MPJPE") -> str:
    """ "lowers MPJPE by 12.3 %", from two errors."""
    percent = 100 * (after / before - 1) if before else 0.0
    if abs(percent) < _LEAST_CHANGE:
        return f"leaves {what} as it is"
    return f"{'raises' if percent > 0 else 'lowers'} {what} by {abs(percent):.1f} %"


def write_pictures(name: str, report: Report, folder: Path) -> list[str]:
    """Draw the pictures; returns their lines of Markdown."""
    lines = []
    for picture in report.pictures:
        path = folder / f"{name}{picture.name}.png"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.draw(path)
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror}") from error
        lines += ["", f"![{report.title}]({folder.name}/{path.name})", "", picture.caption]
    return lines


def markdown(
    report: Report, scores: Mapping[str, Scores], frames: int, command: str, pictures: Sequence[str]
) -> str:
    """The section of the page. ``frames`` is the number of training frames."""
    lines = [f"### {report.title}", "", f"Written by `{command}`.", "", report.about]
    for grid in report.grids:
        lines += ["", f"**{grid.title}**", "", "| " + " | ".join(grid.head) + " |"]
        lines.append("|---" * len(grid.head) + "|")
        lines += [f"| {' | '.join(map(_cell, row))} |" for row in grid.rows]
    lines += ["", *[f"- {line}" for line in report.reading]]
    lines += ["", *_recipes(scores, frames), *pictures]
    return "\n".join(lines) + "\n"


def figures(report: Report, scores: Mapping[str, Scores], frames: int) -> dict[str, Any]:
    """Everything as JSON has it: the grids, and all errors of every run."""
    return {
        "title": report.title,
        "about": report.about,
        "grids": [
            {
                "title": one.title,
                "rows": [dict(zip(one.head, row, strict=True)) for row in one.rows],
            }
            for one in report.grids
        ],
        "reading": report.reading,
        "training_frames": frames,
        "runs": {
            name: {**asdict(one), **_effort(one, frames)} for name, one in sorted(scores.items())
        },
    }


def _cell(value: Cell) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.1f}"


def _effort(scores: Scores, frames: int) -> dict[str, float]:
    """Samples that a run saw, and what part of the papers' recipe that is."""
    config = scores.config
    lifter = config.lifter_steps * config.batch_size
    regressor = config.regressor_steps * config.batch_size
    epochs = _LIFTER_EPOCHS.get(config.model.lifter, _ERD_LIFTER_EPOCHS)
    return {
        "samples_lifter": lifter,
        "samples_each_regressor": regressor,
        "fraction_of_recipe_lifter": round(lifter / (epochs * frames), 4),
        "fraction_of_recipe_regressor": round(regressor / (_REGRESSOR_EPOCHS * frames), 4),
    }


def _recipes(scores: Mapping[str, Scores], frames: int) -> list[str]:
    """How much training stands behind the numbers, said once for runs alike."""
    lifters: dict[str, dict[str, None]] = {}
    for one in scores.values():
        names = lifters.setdefault(_recipe(one, frames), {})
        names[f"`{one.config.model.lifter}`"] = None
    return [f"Training of {', '.join(names)}: {text}" for text, names in lifters.items()]


def _recipe(scores: Scores, frames: int) -> str:
    effort = _effort(scores, frames)
    epochs = _LIFTER_EPOCHS.get(scores.config.model.lifter, _ERD_LIFTER_EPOCHS)
    text = (
        f"the lifter saw {effort['samples_lifter'] / 1e6:.2f} million samples, "
        f"{100 * effort['fraction_of_recipe_lifter']:.1f} % of the paper's {epochs} epochs"
    )
    if scores.config.schedule == "joint":
        return f"{text}, together with the regressors."
    if not scores.config.model.steps:
        return f"{text}."
    return (
        f"{text}; each regressor {effort['samples_each_regressor'] / 1e6:.2f} million, "
        f"{100 * effort['fraction_of_recipe_regressor']:.0f} % of {_REGRESSOR_EPOCHS} epochs."
    )
