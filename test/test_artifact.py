import json

import pytest

from erd_ros.artifact import METADATA_KEY, Artifact
from erd_ros.errors import ArtifactError
from erd_ros.skeleton import COCO17, H36M17, Skeleton

ARTIFACT = Artifact(
    "linear_erd",
    H36M17,
    4,
    training={"seed": 1, "sources": {"cmu": "free for all uses"}},
    deviations=(((0.01, 0.02), (0.03, 0.04)),) * 17,
)


def test_a_description_reads_back_equal():
    assert Artifact.from_json(ARTIFACT.to_json(), "a.onnx") == ARTIFACT
    assert Artifact.from_metadata({METADATA_KEY: ARTIFACT.to_json()}, "a.onnx") == ARTIFACT


def test_a_description_is_plain_json_that_others_can_read():
    values = json.loads(ARTIFACT.to_json())
    assert values["skeleton"]["joint_names"][0] == "pelvis"
    assert values["unit"] == "metre"
    assert values["training"]["sources"] == {"cmu": "free for all uses"}


def changed(**values):
    return json.dumps({**json.loads(ARTIFACT.to_json()), **values})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (changed(format_version=2), "format_version 2, this version reads 1.*erd export"),
        (changed(unit="millimetre"), "unit 'millimetre', this version reads 'metre'"),
        (changed(frame="body"), "frame 'body'"),
        (changed(steps=-1), "-1 steps, expected 0 to 64"),
        (changed(steps=10**12), "1000000000000 steps, expected 0 to 64"),
        (changed(steps="four"), "steps is 'four', expected int"),
        (changed(colour="red"), r"a\.onnx.*colour"),
        (changed(skeleton=None), r"a\.onnx"),
        (changed(skeleton={"name": "x", "joint_names": ["a"]}), r"a\.onnx.*parents"),
        (
            changed(skeleton={"name": "x", "joint_names": ["a", "b"], "parents": [-1]}),
            r"a\.onnx.*2 joint names but 1 parents",
        ),
        (changed(deviations=[[[0.1, 0.1], [0.1, 0.1]]]), "of 1 joints, .* 17; .*erd calibrate"),
        (changed(deviations=[[[0.1], [0.1, 0.1]]] * 17), "expected two pairs"),
        (changed(deviations=[[[0.1, -0.2], [0.1, 0.1]]] * 17), "deviation of -0.2, .*0 or more"),
        (changed(deviations=3), r"a\.onnx"),
        (changed(precision=None), "precision is 'None', expected str"),
        (changed(name=[[]]), "name is .*expected str"),
        (changed(steps=1.5), "steps is '1.5', expected int"),
        (changed(training=3), "training is '3', expected Mapping"),
        ("[" * 100_000, r"a\.onnx.*recursion"),
        ("", r"a\.onnx"),
        ("null", r"a\.onnx"),
        ("[]", r"a\.onnx"),
        (ARTIFACT.to_json()[:-20], r"a\.onnx.*export it again"),
    ],
)
def test_unreadable_descriptions_name_file_and_way_out(text, message):
    with pytest.raises(ArtifactError, match=message):
        Artifact.from_json(text, "a.onnx")


def test_a_foreign_file_is_told_apart():
    with pytest.raises(
        ArtifactError, match=r"b\.onnx is not a model of erd_ros.*erd_ros\.artifact"
    ):
        Artifact.from_metadata({"producer": "somebody"}, "b.onnx")


def test_joint_0_of_a_model_is_its_root():
    turned = Skeleton("turned", ("left_hip", "pelvis"), (1, -1))
    with pytest.raises(ArtifactError, match="joint 0 of left_hip, pelvis must be the root"):
        Artifact("x", turned, 0)
    with pytest.raises(ArtifactError, match="joint 0 of none must be the root"):
        Artifact("x", Skeleton("empty", (), ()), 0)
    assert Artifact("x", COCO17, 0).skeleton is COCO17
