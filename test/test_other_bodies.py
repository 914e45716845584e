"""Bodies of other proportions."""

from pathlib import Path

import numpy as np
import pytest
from tiny_mocap import STANDING, write_tiny_mocap

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from erd_ros.data.batches import Simulation, SimulationConfig
from erd_ros.data.bodies import Bodies, augmented, with_anatomical_forearms, with_other_bones
from erd_ros.errors import InputError
from erd_ros.mocap import read_human36m_cameras, read_mocap
from erd_ros.models.sizing import size_of
from erd_ros.skeleton import H36M17

TABLE = Path(__file__).resolve().parent.parent / "config" / "bodies" / "people.npz"

PERSONS = 200


@pytest.fixture
def persons():
    return torch.from_numpy(STANDING.astype(np.float32)).repeat(PERSONS, 1, 1)


def bones(points):
    return torch.stack([points[:, child] - points[:, parent] for parent, child in H36M17.bones], 1)


def test_bones_change_their_length_alone_and_left_as_right(persons):
    changed = with_other_bones(persons, 0.1, torch.Generator().manual_seed(0))
    before, after = bones(persons), bones(changed)
    factors = after.norm(dim=-1) / before.norm(dim=-1)
    assert factors.min() > 0.9 - 1e-4
    assert factors.max() < 1.1 + 1e-4
    assert (factors.std(0) > 0.03).all()
    direction = torch.nn.functional.cosine_similarity(before, after, dim=-1)
    torch.testing.assert_close(direction, torch.ones_like(direction))
    children = [child for _, child in H36M17.bones]
    mirrored = [children.index(H36M17.flip[child]) for child in children]
    torch.testing.assert_close(factors, factors[:, mirrored], atol=1e-4, rtol=0)
    torch.testing.assert_close(changed[..., 2].amin(1), persons[..., 2].amin(1))


def test_without_it_bones_stay(persons):
    same = augmented(persons, 0.0, 0.0, 0.0, torch.Generator().manual_seed(0))
    lengths = bones(persons).norm(dim=-1)[:, None], bones(same).norm(dim=-1)[:, None]
    torch.testing.assert_close(lengths[0].sum(), lengths[1].sum())


def test_forearms_of_a_share_have_the_length_that_anatomy_gives_them(persons):
    changed = with_anatomical_forearms(persons, 0.5, torch.Generator().manual_seed(0))
    children = [child for _, child in H36M17.bones]
    wrists = [H36M17.index(f"{side}_wrist") for side in ("left", "right")]
    before, after = bones(persons), bones(changed)
    for wrist in wrists:
        forearm, upper_arm = (children.index(one) for one in (wrist, H36M17.parents[wrist]))
        ratio = after[:, forearm].norm(dim=-1) / after[:, upper_arm].norm(dim=-1)
        other = (after[:, forearm] != before[:, forearm]).any(-1)
        assert other.float().mean() == pytest.approx(0.5, abs=0.1)
        assert ratio[other].min() >= 0.78 - 1e-4
        assert ratio[other].max() <= 0.98 + 1e-4
        assert ratio[other].std() > 0.03
        along = torch.nn.functional.cosine_similarity(before[:, forearm], after[:, forearm], dim=-1)
        torch.testing.assert_close(along, torch.ones_like(along))
    others = [joint for joint in range(len(H36M17)) if joint not in wrists]
    assert torch.equal(changed[:, others], persons[:, others])


def test_bodies_of_a_table_have_its_bones_in_the_same_pose(persons):
    bodies = Bodies.read(TABLE, "train")
    changed = bodies.given_to(persons, 1.0, torch.Generator().manual_seed(0))
    before, after = bones(persons), bones(changed)
    direction = torch.nn.functional.cosine_similarity(before, after, dim=-1)
    torch.testing.assert_close(direction, torch.ones_like(direction))
    size = size_of(changed, H36M17)
    assert size.min() < 1.2  # a child
    assert size.max() > 1.7
    children = [child for _, child in H36M17.bones]
    nearest = torch.cat(bodies.lengths)[:, children]
    distance = torch.cdist(after.norm(dim=-1), nearest).amin(1)
    assert distance.max() < 1e-3  # each is one body of the table
    ratio = size / size_of(persons, H36M17)
    torch.testing.assert_close(changed[..., 2].amin(1), ratio * persons[..., 2].amin(1))


def test_a_share_of_persons_get_other_bodies(persons):
    bodies = Bodies.read(TABLE, "train")
    changed = bodies.given_to(persons, 0.3, torch.Generator().manual_seed(0))
    other = (changed != persons).flatten(1).any(1)
    assert other.float().mean() == pytest.approx(0.3, abs=0.1)


def test_training_sees_bodies_of_its_own_split_alone(tmp_path):
    cameras = read_human36m_cameras(write_tiny_mocap(tmp_path), ["S1"])
    config = SimulationConfig(bodies=str(TABLE), bodies_share=1.0, person_scale=0.0)
    drawn = {}
    for split in ("train", "val"):
        simulation = Simulation(read_mocap(tmp_path, ["cmu"], split), cameras, config)
        joints = simulation.draw(64, torch.Generator().manual_seed(0)).joints
        drawn[split] = bones(joints).norm(dim=-1)
    children = [child for _, child in H36M17.bones]
    lengths = torch.cat(Bodies.read(TABLE, "val").lengths)[:, children]
    assert torch.cdist(drawn["val"], lengths).amin(1).max() < 1e-3
    assert torch.cdist(drawn["train"], lengths).amin(1).min() > 1e-3


def test_without_a_table_batches_stay_as_they_were(tmp_path):
    cameras = read_human36m_cameras(write_tiny_mocap(tmp_path), ["S1"])
    mocap = read_mocap(tmp_path, ["cmu"], "train")
    batches = [
        Simulation(mocap, cameras, config).draw(8, torch.Generator().manual_seed(0))
        for config in (SimulationConfig(), SimulationConfig(bodies_share=0.9))
    ]
    assert torch.equal(batches[0].joints, batches[1].joints)
    with pytest.raises(InputError, match="bodies_share is 2"):
        SimulationConfig(bodies_share=2)
    with pytest.raises(InputError, match=r"table of bodies .* does not exist"):
        Simulation(mocap, cameras, SimulationConfig(bodies=str(tmp_path / "none.npz")))
