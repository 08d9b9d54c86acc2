"""What onnxruntime's quantize_static makes of small models and of the real ones, for test/unit/static.

Writes test/fixtures/goldens/static/: each small model as onnxruntime simplifies it (level basic, so that Quantscope's own
preparation changes nothing of it), its samples, and static.json with the parameters of every input and output of
every node. Real models are calibrated on mulberry32's numbers, which the test draws again.

    python test/reference/static.py   (onnxruntime 1.30)
"""

import gzip
import hashlib
import json
import logging
import os
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from golden import FOLDER, encoded
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType, quantize_static
from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry
from static_models import SMALL

ROOT = Path(__file__).parents[2]
OUT = FOLDER / "static"

PERCENTILE = {"CalibTensorRangeSymmetric": False, "CalibPercentile": 99.0}
SETTINGS = {
    "int8": {},
    "uint8 channel": {"activation_type": QuantType.QUInt8, "per_channel": True},
    "int8 percentile": {
        "calibrate_method": CalibrationMethod.Percentile,
        "extra_options": PERCENTILE,
        "per_channel": True,
    },
    "uint8 weights": {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QUInt8},
    "int8 symmetric": {"extra_options": {"ActivationSymmetric": True}},
}


class Samples(CalibrationDataReader):
    def __init__(self, samples):
        self.left = list(samples)

    def get_next(self):
        return self.left.pop(0) if self.left else None


def simplified(model, target):
    """The model as onnxruntime writes it at level basic."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def quantized(source, samples, settings):
    target = Path(tempfile.mkdtemp()) / "quantized.onnx"
    quantize_static(source, target, Samples(samples), **settings)
    return onnx.load(target)


# Constants come of onnx's version converter, which the reference calls below opset 11.
LEFT_OUT = ("QuantizeLinear", "DequantizeLinear", "Constant")


class Description:
    """What each node of a quantized model takes and gives: parameters of the codes, null for floats."""

    def __init__(self, model):
        graph = model.graph
        self.stored = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        self.restored = {n.output[0]: n for n in graph.node if n.op_type == "DequantizeLinear"}
        self.taken = {n.input[0]: n for n in graph.node if n.op_type == "QuantizeLinear"}
        self.nodes = [n for n in graph.node if n.op_type not in LEFT_OUT]
        self.outputs = [o.name for o in graph.output]

    def parameters(self, node):
        if node is None:
            return None
        scale, zero = self.stored[node.input[1]], self.stored[node.input[2]]
        entry = {
            "type": str(zero.dtype),
            "scale": [float(str(s)) for s in scale.ravel()],
            "zeroPoint": sorted({int(z) for z in zero.ravel()}),
        }
        codes = self.stored.get(node.input[0])
        if codes is not None:
            axis = next((a.i for a in node.attribute if a.name == "axis"), None)
            entry["axis"] = axis if scale.size > 1 else None
            entry["codes"] = hashlib.sha256(np.ascontiguousarray(codes).tobytes()).hexdigest()[:16]
        return entry

    def nodes_by_name(self):
        return {
            n.name: {
                "inputs": [self.parameters(self.restored.get(name)) for name in n.input],
                "outputs": [self.parameters(self.taken.get(name)) for name in n.output],
            }
            for n in self.nodes
        }

    def whole(self):
        outputs = {name: self.parameters(self.restored.get(name)) for name in self.outputs}
        return {"nodes": self.nodes_by_name(), "outputs": outputs}


def small_models():
    result = {}
    for name, make in SMALL.items():
        builder = make()
        target = OUT / f"{name}.onnx"
        simplified(builder.model().SerializeToString(), target)
        samples = builder.samples()
        for at, sample in enumerate(samples):
            np.savez_compressed(OUT / f"{name}-{at}.npz", **sample)
        result[name] = {
            key: Description(quantized(target, samples, settings)).whole()
            for key, settings in SETTINGS.items()
        }
        packed = gzip.compress(target.read_bytes(), mtime=0)
        target.unlink()
        (OUT / f"{name}.onnx.gz").write_bytes(packed)
    return result


def mulberry32(count, seed):
    """As randomValues in test/helpers/onnx-model.ts."""
    steps = (np.arange(1, count + 1, dtype=np.uint64) * 0x6D2B79F5 + seed).astype(np.uint32)
    mixed = (steps ^ (steps >> 15)) * (steps | np.uint32(1))
    mixed = (mixed + (mixed ^ (mixed >> np.uint32(7))) * (mixed | np.uint32(61))) ^ mixed
    mixed = mixed ^ (mixed >> np.uint32(14))
    return (mixed.astype(np.float64) / 2**31 - 1).astype(np.float32)


REAL = {
    "PP-OCRv4 rec": {"x": [1, 3, 48, 320]},
    "PP-OCRv4 det": {"x": [1, 3, 320, 320]},
    "PP-OCR cls": {"x": [1, 3, 48, 192]},
    "hello-deepa": {"onnx::Flatten_0": [1, 25, 96]},
}
REAL_SETTINGS = ("int8", "uint8 channel", "int8 percentile")


def real_models():
    files = json.loads((ROOT / "test/reference/real-models.json").read_text())
    result = {}
    for name, shapes in REAL.items():
        source = ROOT / files[name]
        target = Path(tempfile.mkdtemp()) / "simple.onnx"
        simplified(str(source), target)
        simple = [node.name for node in onnx.load(target).graph.node]
        assert len(set(simple)) == len(simple), "nodes are told apart by their names"
        samples = [
            {
                key: np.array(16000, np.int64)
                if shape is None
                else mulberry32(int(np.prod(shape)), 5 + at).reshape(shape)
                for key, shape in shapes.items()
            }
            for at in range(2)
        ]
        result[name] = {}
        for key in REAL_SETTINGS:
            result[name][key] = summary(quantized(target, samples, SETTINGS[key]), simple)
    return result


def summary(model, before):
    """All parameters in the order of the nodes' names, packed; codes as one digest."""
    whole = Description(model).whole()
    nodes = [whole["nodes"][name] for name in sorted(whole["nodes"])]
    entries = [e for n in nodes for e in (*n["inputs"], *n["outputs"])]
    entries += [whole["outputs"][name] for name in sorted(whole["outputs"])]
    places = [
        "".join("01"[e is not None] for e in side).rstrip("0")
        for n in nodes
        for side in (n["inputs"], n["outputs"])
    ]
    found = [e for e in entries if e is not None]
    codes = "".join(e.get("codes", "") for e in found)
    scales = np.array([s for e in found if len(e["scale"]) == 1 for s in e["scale"]], np.float32)
    channels = np.array([s for e in found if len(e["scale"]) > 1 for s in e["scale"]], np.float32)
    zeros = np.array([z for e in found for z in e["zeroPoint"]], np.int32)
    return {
        "removed": sorted(set(before) - set(whole["nodes"])),
        "places": hashlib.sha256(",".join(places).encode()).hexdigest()[:16],
        "scales": encoded(scales),
        "channelScales": hashlib.sha256(channels.tobytes()).hexdigest()[:16],
        "zeroPoints": hashlib.sha256(zeros.tobytes()).hexdigest()[:16],
        "codes": hashlib.sha256(codes.encode()).hexdigest()[:16],
    }


def main():
    logging.disable(logging.WARNING)
    OUT.mkdir(parents=True, exist_ok=True)
    content = {
        "madeBy": f"onnxruntime {onnxruntime.__version__} quantize_static",
        "operators": sorted(set(QDQRegistry) | set(QLinearOpsRegistry)),
        "models": small_models(),
        "real": real_models(),
    }
    (OUT / "static.json").write_text(json.dumps(content, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
