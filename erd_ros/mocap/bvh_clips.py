"""Clips of BVH files: their joints as ours, their unit, frame rate, subject and action."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from erd_ros.errors import InputError
from erd_ros.mocap.bvh import joint_positions, read_bvh
from erd_ros.mocap.clip import Clip, Recipe, combined_joints, turned_up
from erd_ros.mocap.options import (
    FrameRates,
    ReaderOptions,
    files_below,
    metres_per_unit,
    read_actions,
    read_recipes,
    subject_by_pattern,
)
from erd_ros.mocap.proportions import check_proportions
from erd_ros.mocap.rigs import CMU_UNIT, as_cmu_measured, is_cmu, usual_recipes

_USUAL_UNIT = "cm"
_GOES_ON = "the file goes on after the frames that it states; the rest is not read"


def bvh_clips(source: Path, options: ReaderOptions) -> tuple[int, Iterator[Clip]]:
    """Clips of a .bvh file or of all below a folder: their number, and one after the other.

    The subject is the folder below ``source`` that the file lies in; for a file in ``source``
    itself what stands before the first "_" of its name; or what ``options.subject`` finds in the
    path. Raises InputError as ``read_bvh`` does, and for a skeleton whose joints are not found or
    are not as large as a person's; the iterator goes on with the next file after it.
    """
    paths = files_below(source, ".bvh")
    actions, recipes = read_actions(options.actions), read_recipes(options.joints)
    rates = FrameRates(options.source_fps)

    def clip(path: Path) -> Clip:
        return _clip(source, path, options, actions, recipes, rates)

    return len(paths), map(clip, paths)


def _clip(
    source: Path,
    path: Path,
    options: ReaderOptions,
    actions: Mapping[str, str],
    recipes: Mapping[str, Recipe],
    rates: FrameRates,
) -> Clip:
    bvh = read_bvh(path)
    remarks: tuple[str, ...] = (_GOES_ON,) if bvh.goes_on else ()
    unit = options.unit or _USUAL_UNIT
    try:
        if is_cmu(bvh):
            bvh, remark = as_cmu_measured(bvh)
            remarks, unit = (*remarks, remark), options.unit or CMU_UNIT
        chosen = usual_recipes(bvh, recipes)
        found = joint_positions(bvh, {part for recipe in chosen.values() for part in recipe})
        scale = metres_per_unit(unit)
        points = {name: turned_up(scale * at, options.up_axis) for name, at in found.items()}
        positions = combined_joints(points, chosen)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    check_proportions(path, positions, unit)
    subject, rest = _named_by_path(source, path)
    return Clip(
        path.stem,
        subject_by_pattern(options.subject, source, path) or subject,
        actions.get(path.stem, rest.replace("_", " ")),
        "",
        positions,
        rates.of(path.stem, 1 / bvh.frame_time),
        remarks=remarks,
    )


def _named_by_path(source: Path, path: Path) -> tuple[str, str]:
    """The subject, and the name without it."""
    folder = path.relative_to(source).parts[0] if path != source else path.name
    subject, _, rest = path.stem.partition("_")
    return subject if folder == path.name else folder, rest
