"""What rigs in BVH files call H36M17's joints, and the layout that CMU's database is spread in.

Bruce Hahne's conversion of CMU's motion capture (cgspeed.com, 2008 and 2010) opens each file with a
T-pose that nobody took. It has CMU's bones under MotionBuilder's names, each joint where a bone
begins, and its lengths in CMU's unit of 1 / 0.45 inches. It leaves out the thorax bone: neck and
shoulders begin where the thorax does, 0.11 to 0.13 m too low. The bone below it, as long to a few
millimetres, is put in its place.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from erd_ros.errors import InputError
from erd_ros.mocap.bvh import Bvh
from erd_ros.mocap.clip import Recipe
from erd_ros.mocap.text import listed

# What rigs call the joints, best first, in lower case without separators and prefixes.
_NAMES = {
    "hip": ("{side}upleg", "{side}thigh", "{side}hip", "{initial}thigh", "{initial}hip"),
    "knee": ("{side}leg", "{side}knee", "{side}shin", "{initial}shin", "{initial}knee"),
    "ankle": ("{side}foot", "{side}ankle", "{initial}foot", "{initial}ankle"),
    "shoulder": ("{side}arm", "{side}uparm", "{side}shoulder", "{initial}shldr"),
    "elbow": ("{side}forearm", "{side}elbow", "{initial}forearm"),
    "wrist": ("{side}hand", "{side}wrist", "{initial}hand"),
}
_MIDLINE_NAMES = {
    "spine": ("spine1", "chest", "spine"),
    "thorax": ("neck",),
    "neck_nose": ("head",),
    "head_top": ("headend",),
}
CMU_UNIT = f"{0.0254 / 0.45:.6f}"  # metres, as --unit has it
_CMU_PARENTS = {
    "lowerback": "hips",
    "spine": "lowerback",
    "spine1": "spine",
    "neck": "spine1",
    "neck1": "neck",
    "head": "neck1",
    "headend": "head",
    "leftshoulder": "spine1",
    "rightshoulder": "spine1",
}
_ABOVE_THORAX = ("neck", "leftshoulder", "rightshoulder")
# CMU's bones end where the next joint begins; its head bone ends in the middle of the head.
_CMU_RECIPES: Mapping[str, Recipe] = {
    "spine": {"spine": 1},
    "thorax": {"neck1": 1},
    "neck_nose": {"head": 1},
    "head_top": {"headend": 2, "head": -1},
}


def usual_recipes(bvh: Bvh, told: Mapping[str, Recipe]) -> dict[str, Recipe]:
    """How H36M17's joints follow from a rig's, as told and otherwise by its usual names.

    The pelvis is the midpoint of the hips. Joints on the midline may be missing. Raises InputError
    for a limb that is not found, and for a joint that is told and not there.
    """
    by_plain_name = _by_plain_name(bvh)
    recipes: dict[str, Recipe] = {
        **_limbs(by_plain_name, told),
        **_midline(bvh, by_plain_name),
        **told,
    }
    names = {joint.name for joint in bvh.joints}
    for joint, recipe in recipes.items():
        for part in recipe:
            if part not in names:
                raise InputError(
                    f"joint '{joint}' is to be made of '{part}', which the skeleton lacks; it has "
                    f"{listed(j.name for j in bvh.joints)}"
                )
    hips = [recipes["left_hip"], recipes["right_hip"]]
    midpoint: dict[str, float] = {}
    for hip in hips:
        midpoint |= {part: weight / 2 for part, weight in hip.items()}
    return {"pelvis": midpoint, **recipes}


def _limbs(by_plain_name: Mapping[str, str], told: Mapping[str, Recipe]) -> dict[str, Recipe]:
    recipes: dict[str, Recipe] = {}
    for side in ("left", "right"):
        for part, alternatives in _NAMES.items():
            joint = f"{side}_{part}"
            plain = [name.format(side=side, initial=side[0]) for name in alternatives]
            found = [by_plain_name[name] for name in plain if name in by_plain_name]
            if not found and joint not in told:
                raise InputError(
                    f"no joint is called {' or '.join(plain)}; the skeleton has "
                    f"{listed(by_plain_name.values())}; say with --joints which of them is {joint}"
                )
            recipes[joint] = {found[0]: 1.0} if found else {}
    return recipes


def _midline(bvh: Bvh, by_plain_name: Mapping[str, str]) -> dict[str, Recipe]:
    if is_cmu(bvh):
        return {
            joint: {by_plain_name[part]: weight for part, weight in recipe.items()}
            for joint, recipe in _CMU_RECIPES.items()
        }
    found = {
        joint: [by_plain_name[name] for name in names if name in by_plain_name]
        for joint, names in _MIDLINE_NAMES.items()
    }
    return {joint: {names[0]: 1.0} for joint, names in found.items() if names}


def is_cmu(bvh: Bvh) -> bool:
    """Whether the trunk's joints are those of CMU's spread layout, each below the same other."""
    plain = [_plain(joint.name) for joint in bvh.joints]
    parents = {plain[i]: plain[j.parent] for i, j in enumerate(bvh.joints) if j.parent >= 0}
    return all(parents.get(joint) == parent for joint, parent in _CMU_PARENTS.items())


def as_cmu_measured(bvh: Bvh) -> tuple[Bvh, str]:
    """A file of CMU's spread layout without its T-pose and with a thorax; what was changed.

    Raises InputError for a file of the T-pose alone.
    """
    done = [f"CMU's BVH layout, lengths in units of {CMU_UNIT} m unless --unit says otherwise"]
    if _opens_with_t_pose(bvh):
        if len(bvh.motion) == 1:
            raise InputError(
                "the file has no frame but the T-pose that CMU's BVH layout opens with"
            )
        bvh = replace(bvh, motion=bvh.motion[1:])
        done.append("the opening T-pose left out")
    above = [j for j in bvh.joints if _plain(j.name) in _ABOVE_THORAX]
    if not any(any(joint.offset) for joint in above):
        (bone,) = (j.offset for j in bvh.joints if _plain(j.name) == "spine1")
        joints = tuple(replace(j, offset=bone) if j in above else j for j in bvh.joints)
        bvh = replace(bvh, joints=joints)
        done.append("the thorax bone that it lacks put back, as long as the one below")
    return bvh, "; ".join(done)


def _opens_with_t_pose(bvh: Bvh) -> bool:
    """No turn of hips and back in the first frame, to the last digit."""
    column, turns = 0, []
    for joint in bvh.joints:
        values = bvh.motion[0, column : column + len(joint.channels)]
        column += len(joint.channels)
        if _plain(joint.name) in ("hips", "lowerback", "spine", "spine1"):
            turning = [channel.endswith("rotation") for channel in joint.channels]
            turns.append(values[np.array(turning, np.bool_)])
    return not np.concatenate(turns).any()


def _by_plain_name(bvh: Bvh) -> dict[str, str]:
    return {_plain(joint.name): joint.name for joint in reversed(bvh.joints)}


def _plain(name: str) -> str:
    """`mixamorig:LeftUp_Leg` to `leftupleg`."""
    return "".join(letter for letter in name.rpartition(":")[2].lower() if letter.isalnum())
