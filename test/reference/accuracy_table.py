"""What onnxruntime's quantizers make of a model, and how well every quantized copy in a folder does its task.

accuracy_table.py check                                         exits 0 where all that is needed can be imported
accuracy_table.py reference MODEL DATA OUT                      writes OUT/8-*.onnx and OUT/4-*.onnx, those not there yet
accuracy_table.py measure NAME MODEL DATA OUT NODE_MODULES      prints JSON: the original, and each OUT/8-*.onnx and OUT/4-*.onnx

DATA has calibration and evaluation, as static_data.py and trained_networks.py write them. build/bench-accuracy.mjs runs this.
"""

import itertools
import json
import logging
import os
import sys

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, matmul_nbits_quantizer, quantize_static
from static_table import Reader, named, outputs, prepared, samples, session, sqnr, task

METHODS = {
    "minmax": (CalibrationMethod.MinMax, {}),
    "percentile 99.99": (CalibrationMethod.Percentile, {"CalibPercentile": 99.99}),
    "percentile 99.999": (CalibrationMethod.Percentile, {"CalibPercentile": 99.999}),
    "entropy": (CalibrationMethod.Entropy, {}),
}
ACTIVATIONS = {"uint8": QuantType.QUInt8, "int8": QuantType.QInt8}
OPERATORS = {"all operators": None, "three operators": ["Conv", "MatMul", "Gemm"]}
TRAINED = ("mlp", "cnn", "transformer", "lstm")


def attempt(out, bits, name, make):
    file = os.path.join(out, f"{bits}-ref {name}.onnx")
    if os.path.exists(file):
        return
    try:
        make(file + ".tmp")
        os.replace(file + ".tmp", file)
    except Exception as error:
        print(f"  {name} fails: {type(error).__name__} {str(error)[:100]!r}", file=sys.stderr, flush=True)


def static(model, kind, calibration, out):
    """All settings of quantize_static. Ranges are observed once for each method, and kept in its own file for them."""
    settings = itertools.product(METHODS.items(), OPERATORS.items(), ACTIVATIONS.items(), (True, False))
    for (method, (calibrate, extra)), (which, operators), (type_name, dtype), channels in settings:
        name = ", ".join([method, type_name, which, "per channel" if channels else "per tensor", kind])
        attempt(
            out,
            8,
            name,
            lambda file: quantize_static(
                model,
                file,
                Reader(model, calibration),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=operators,
                per_channel=channels,
                activation_type=dtype,
                weight_type=QuantType.QInt8,
                calibrate_method=calibrate,
                extra_options=extra,
                calibration_cache_path=os.path.join(out, f"{method}, {kind}.ranges.json"),
            ),
        )


def four_bits(model, calibration, out):
    """All algorithms of MatMulNBitsQuantizer that run here, in blocks of 32, with and without zero points."""
    names = [each.name for each in session(model).get_inputs()]
    feeds = [named(each, names) for each in samples(calibration)]
    ways = matmul_nbits_quantizer
    hqq, k_quant = ways.HQQWeightOnlyQuantConfig(block_size=32), ways.KQuantWeightOnlyQuantConfig()
    configs = {"HQQ": (hqq, False), "k_quant": (k_quant, False)}
    for symmetric, kind in ((True, "symmetric"), (False, "zero points")):
        configs[f"default, {kind}"] = (None, symmetric)
        configs[f"RTN, {kind}"] = (ways.RTNWeightOnlyQuantConfig(), symmetric)
        for order, mse in itertools.product((False, True), repeat=2):
            config = ways.GPTQWeightOnlyQuantConfig(feeds, block_size=32, actorder=order, mse=mse)
            configs[f"GPTQ, {kind}{', actorder' if order else ''}{', mse' if mse else ''}"] = (config, symmetric)

    def quantize(file, config, symmetric):
        quantizer = ways.MatMulNBitsQuantizer(onnx.load(model), 4, 32, symmetric, algo_config=config)
        quantizer.process()
        made = quantizer.model if isinstance(quantizer.model, onnx.ModelProto) else quantizer.model.model
        if not any(node.op_type == "MatMulNBits" for node in made.graph.node):
            raise ValueError("no MatMul with a constant weight")
        onnx.save(made, file)

    for name, (config, symmetric) in configs.items():
        attempt(out, 4, name, lambda file: quantize(file, config, symmetric))


def lifted(model, out):
    """Constant nodes become initializers, where the quantizers look for weights; each node gets a name, which some go by."""
    proto = onnx.load(model)
    for node in [each for each in proto.graph.node if each.op_type == "Constant" and each.attribute[0].name == "value"]:
        tensor = proto.graph.initializer.add()
        tensor.CopyFrom(node.attribute[0].t)
        tensor.name = node.output[0]
        proto.graph.node.remove(node)
    for at, node in enumerate(proto.graph.node):
        node.name = f"{node.op_type}_{at}"
    onnx.save(proto, out)


def reference(model, data, out):
    """On the model as it is, and as onnxruntime optimizes it, which is the better in 8 bits where norms are folded."""
    logging.disable(logging.WARNING)
    basic, plain, calibration = f"{out}/prepared.tmp", f"{out}/plain.tmp", f"{data}/calibration"
    prepared(model, basic)
    lifted(f"{basic}.raised.onnx", plain)
    static(basic, "optimized", calibration, out)
    static(plain, "as it is", calibration, out)
    four_bits(plain, calibration, out)


def right(name, made, truth, modules, wanted):
    """The share of the model's task that is done."""
    if name not in TRAINED:
        return task(name, made, truth, modules, wanted)
    return float(np.mean([np.mean(each[0].argmax(-1) == label) for each, label in zip(made, truth)]))


def measure(name, model, data, out, modules):
    folder = os.path.join(data, "evaluation")
    with open(os.path.join(folder, "truth.json")) as file:
        truth = json.load(file)
    wanted = outputs(session(model), folder)
    rows = [{"bits": 32, "way": "original", "task": right(name, wanted, truth, modules, wanted)}]
    rows[0].update(bytes=os.path.getsize(model), sqnr=None)
    for each in sorted(os.listdir(out)):
        if not each.endswith(".onnx") or each[:2] not in ("8-", "4-"):
            continue
        file = os.path.join(out, each)
        try:
            made = outputs(session(file), folder)
        except Exception as error:
            print(f"  {each} does not run: {str(error)[:100]!r}", file=sys.stderr, flush=True)
            continue
        found = sqnr(wanted, made)
        row = {"bits": int(each[0]), "way": each[2:-5], "task": right(name, made, truth, modules, wanted)}
        rows.append({**row, "sqnr": None if np.isinf(found) else found, "bytes": os.path.getsize(file)})
    print(json.dumps(rows))


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    {"check": lambda: None, "reference": reference, "measure": measure}[what](*rest)
