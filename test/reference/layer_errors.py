"""The error of each layer of an ONNX export, local and accumulated, by onnx, numpy and onnxruntime alone.

    python test/reference/layer_errors.py ORIGINAL EXPORTED SAMPLES [VERIFY.json]

SAMPLES is a folder of .npz files, one a sample. Prints what each operator of the original gives in the export against the
original: SQNR in dB over all samples. With the output of `quantscope verify ORIGINAL EXPORTED --inputs SAMPLES --layers
--json` it prints the largest difference from that, and exits 1 where it is over 0.1 dB.

Both models run without graph optimizations. Every layer is a model of its own: the exported nodes that make its output of
values that the original has, which are its inputs and are given the original's numbers.

Without arguments it writes test/fixtures/goldens/layers/: two small models, their samples, and the figures of each export
that Quantscope (dist/cli.js) makes of them.
"""

import copy
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).parents[2]
OUT = ROOT / "test/fixtures/goldens/layers"
PASSES = {"QuantizeLinear", "DequantizeLinear", "Cast"}


def session(model):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    data = model if isinstance(model, bytes) else model.SerializeToString()
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def observed(model, names):
    """The model with more outputs."""
    more = copy.deepcopy(model)
    known = {value.name for value in more.graph.output}
    more.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names if name not in known)
    return session(more)


def made_by(graph):
    return {name: node for node in graph.node for name in node.output if node.op_type != "Constant" and name}


def stored_of(graph):
    constants = {node.output[0]: node for node in graph.node if node.op_type == "Constant"}
    return {tensor.name: tensor for tensor in graph.initializer} | constants


def stands_for(original, exported):
    """By name in the export: the original's value that it stands for."""
    names = {value.name for value in original.graph.input} | set(made_by(original.graph))
    names -= set(stored_of(original.graph))
    makers, stored = made_by(exported.graph), stored_of(exported.graph)
    stands = {name: name for name in makers if name in names}
    stands |= {value.name: value.name for value in exported.graph.input if value.name in names}
    by_node = {(node.op_type, node.name): node for node in original.graph.node if node.name}
    for name, origin in list(stands.items()):
        node = makers.get(name)
        while node is not None and node.op_type in PASSES and made_by(original.graph)[origin].op_type != node.op_type:
            source = node.input[0]
            if source in stands or source in stored:
                break
            stands[source] = origin
            node = makers.get(source)
    for node in exported.graph.node:
        if node.op_type in PASSES:
            if node.output[0] not in stands and node.input[0] in stands:
                stands[node.output[0]] = stands[node.input[0]]
            continue
        same = by_node.get((node.op_type, node.name))
        for at, name in enumerate(node.output):
            if name == "" or name in stands:
                continue
            if same is not None and at < len(same.output):
                stands[name] = same.output[at]
            elif name.removesuffix("_float16") in names:
                stands[name] = name.removesuffix("_float16")
    return stands


def cut(exported, stands, outputs):
    """The nodes that make some outputs, and the values that these take."""
    makers, stored = made_by(exported.graph), stored_of(exported.graph)
    own = {stands[name] for name in outputs}
    nodes, inputs, left, seen = [], [], list(outputs), set()
    while left:
        name = left.pop()
        if name in seen or name in stored or name == "":
            continue
        seen.add(name)
        node = makers.get(name)
        origin = stands.get(name)
        is_step = node is not None and node.op_type in PASSES and stands.get(node.input[0]) == origin
        if node is None or (origin is not None and origin not in own and not is_step):
            inputs.append(name)
            continue
        if node not in nodes:
            nodes.append(node)
        left.extend(node.input)
    order = [node for node in exported.graph.node if node in nodes]
    return order, inputs


def alone(exported, nodes, inputs, outputs, types):
    stored = stored_of(exported.graph)
    taken = {name for node in nodes for name in node.input if name in stored}
    made = [name for node in nodes for name in node.output if name]
    graph = helper.make_graph(
        [stored[name] for name in sorted(taken) if isinstance(stored[name], onnx.NodeProto)] + nodes,
        "alone",
        [helper.make_tensor_value_info(name, types[name], None) for name in inputs],
        # onnxruntime computes float16 in float32 where it has no kernel, and rounds only what is observed.
        [helper.make_empty_tensor_value_info(name) for name in outputs + [name for name in made if name not in outputs]],
        [stored[name] for name in sorted(taken) if isinstance(stored[name], TensorProto)],
    )
    return session(helper.make_model(graph, opset_imports=exported.opset_import, ir_version=exported.ir_version))


TYPES = {
    "tensor(float)": TensorProto.FLOAT,
    "tensor(float16)": TensorProto.FLOAT16,
    "tensor(double)": TensorProto.DOUBLE,
    "tensor(int64)": TensorProto.INT64,
    "tensor(int32)": TensorProto.INT32,
    "tensor(bool)": TensorProto.BOOL,
    "tensor(uint8)": TensorProto.UINT8,
    "tensor(int8)": TensorProto.INT8,
}


class Sums:
    def __init__(self):
        self.signal = self.noise = 0.0

    def add(self, original, other):
        original, other = np.float64(original), np.float64(other)
        self.signal += float(np.sum(original * original))
        self.noise += float(np.sum((other - original) ** 2))

    @property
    def decibels(self):
        if self.noise == 0:
            return math.inf
        return 10 * math.log10(self.signal / self.noise) if self.signal > 0 else -math.inf


def layer_errors(original, exported, samples, known=None):
    """`known`: what the values of an export stand for, of which `exported` is a copy."""
    stands = stands_for(original, exported)
    if known is not None:
        stands |= {name: known[name] for name in made_by(exported.graph) if name in known}
    passed = {name for name, node in made_by(exported.graph).items() if node.op_type in PASSES}
    counterpart = {}
    for name, origin in stands.items():
        if name == origin or (origin not in stands and name not in passed):
            counterpart[origin] = name
    before = observed(original, sorted(set(stands.values())))
    after = observed(exported, sorted(stands))
    types = {value.name: TYPES[value.type] for value in [*after.get_inputs(), *after.get_outputs()] if value.type in TYPES}
    floats = {value.name for value in before.get_outputs() if "float" in value.type or "double" in value.type}
    by_node = {(node.op_type, node.name): node for node in original.graph.node if node.name}
    layers = []
    for node in original.graph.node:
        outputs = [counterpart[name] for name in node.output if name in floats and name in counterpart]
        if not outputs:
            continue
        nodes, inputs = cut(exported, stands, outputs)
        if not nodes or any(name not in stands for name in inputs):
            continue
        # Bodies take values of the graph around them by name.
        if any(attribute.HasField("g") for each in nodes for attribute in each.attribute):
            continue
        named = [each for each in nodes if each.op_type not in PASSES and (each.op_type, each.name) in by_node]
        # What was folded into an operator has that operator's name.
        node = by_node[named[-1].op_type, named[-1].name] if named else node
        layers.append((node, outputs, inputs, alone(exported, nodes, inputs, outputs, types), Sums(), Sums()))
    for feeds in samples:
        exact = dict(zip([value.name for value in before.get_outputs()], before.run(None, feeds))) | feeds
        given = dict(zip([value.name for value in after.get_outputs()], after.run(None, feeds)))
        for _, outputs, inputs, model, local, accumulated in layers:
            taken = {
                name: np.asarray(exact[stands[name]], helper.tensor_dtype_to_np_dtype(types[name])) for name in inputs
            }
            found = dict(zip(outputs, model.run(outputs, taken)))
            for name in outputs:
                local.add(exact[stands[name]], found[name])
                accumulated.add(exact[stands[name]], given[name])
    return [
        {"name": node.name or node.output[0], "op": node.op_type, "local": local.decibels, "accumulated": total.decibels}
        for node, _, _, _, local, total in layers
    ]


def weights_only(exported):
    """The export with its values between operators in float: what restores rounded values hands on the exact ones."""
    exact = copy.deepcopy(exported)
    makers = made_by(exact.graph)
    for node in exact.graph.node:
        quantize = makers.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if quantize is not None and quantize.op_type == "QuantizeLinear":
            node.CopyFrom(helper.make_node("Identity", [quantize.input[0]], list(node.output), name=node.name))
    return exact


def activations_only(original, exported):
    """The original with the export's rounding of values, before the operators that take them rounded in the export."""
    stands, makers, stored = stands_for(original, exported), made_by(exported.graph), stored_of(exported.graph)
    rounded = copy.deepcopy(original)
    takers, pairs = {}, {}
    for node in exported.graph.node:
        quantize = makers.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        origin = stands.get(node.output[0])
        if quantize is None or quantize.op_type != "QuantizeLinear" or origin is None or origin in pairs:
            continue
        parameters = [stored[name] for name in node.input[1:]]
        rounded.graph.initializer.extend(parameters)
        pairs[origin] = pair(origin, f"{origin}/rounded", parameters)
        # A value of the same name is rounded for all that take it.
        taking = [each for each in exported.graph.node if node.output[0] in each.input]
        takers[origin] = None if node.output[0] == origin else {stands.get(each.output[0]) for each in taking}
        users = {each.output[0] for each in original.graph.node if origin in each.input}
        # Of operators that others were folded into, the original's make another value.
        if takers[origin] is not None and not takers[origin] & users:
            takers[origin] = users
    nodes = [each for value in rounded.graph.input for each in pairs.get(value.name, [])]
    for node in rounded.graph.node:
        for at, name in enumerate(node.input):
            if name in pairs and (takers[name] is None or node.output[0] in takers[name]):
                node.input[at] = f"{name}/rounded"
        nodes += [node, *(each for name in node.output for each in pairs.get(name, []))]
    # What is rounded for all has its own name, as in the export.
    for node in nodes:
        for names in (node.input, node.output):
            for at, name in enumerate(names):
                origin = name.removesuffix("/rounded")
                if takers.get(origin, 0) is None:
                    names[at] = origin if name != origin else f"{origin}/exact"
    del rounded.graph.node[:]
    rounded.graph.node.extend(nodes)
    return rounded


def pair(source, target, parameters):
    names = [tensor.name for tensor in parameters]
    return [
        helper.make_node("QuantizeLinear", [source, *names], [f"{target}/codes"]),
        helper.make_node("DequantizeLinear", [f"{target}/codes", *names], [target]),
    ]


def read_samples(folder):
    files = sorted(Path(folder).glob("*.npz"))
    return [dict(np.load(file)) for file in files]


def compared(errors, verified):
    """The largest difference from verify's figures, in dB; layers that this script does not find count as infinite."""
    found = {error["name"]: error for error in errors}
    worst = 0.0
    for layer in verified["layers"]:
        same = found.get(layer["name"])
        for key, ours in (("local", layer["localSqnrDb"]), ("accumulated", layer["accumulatedSqnrDb"])):
            theirs = None if same is None else same[key]
            if theirs is None or ours is None:
                print(f"{layer['name']}: {key} {ours} here, {theirs} in the reference")
                worst = math.inf
            # Beyond 120 dB float32 sums differ by their order alone.
            elif min(ours, theirs) < 120:
                worst = max(worst, abs(ours - theirs))
    return worst


def tensor(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def pictures_model(random):
    """Conv, normalization, a squeeze, a residual and a classifier; one channel of the second Conv is an outlier."""
    weights = random.normal(size=(16, 16, 3, 3)).astype(np.float32) / 12
    weights[3] *= 40
    stored = [
        tensor("stem_w", random.normal(size=(16, 3, 3, 3)).astype(np.float32) / 5),
        *(tensor(f"bn_{part}", random.uniform(0.5, 1.5, 16).astype(np.float32)) for part in ("s", "b", "m", "v")),
        tensor("body_w", weights),
        tensor("body_b", random.normal(size=16).astype(np.float32)),
        tensor("squeeze_w", random.normal(size=(16, 16, 1, 1)).astype(np.float32) / 4),
        tensor("head_w", random.normal(size=(10, 16)).astype(np.float32) / 4),
        tensor("head_b", random.normal(size=10).astype(np.float32)),
    ]
    pads = {"pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["x", "stem_w"], ["c1"], name="stem", **pads),
        helper.make_node("BatchNormalization", ["c1", "bn_s", "bn_b", "bn_m", "bn_v"], ["n1"], name="norm"),
        helper.make_node("Relu", ["n1"], ["r1"], name="relu"),
        helper.make_node("Conv", ["r1", "body_w", "body_b"], ["c2"], name="body", **pads),
        helper.make_node("GlobalAveragePool", ["c2"], ["g1"], name="pool"),
        helper.make_node("Conv", ["g1", "squeeze_w"], ["s1"], name="squeeze"),
        helper.make_node("Sigmoid", ["s1"], ["s2"], name="gate"),
        helper.make_node("Mul", ["c2", "s2"], ["m1"], name="scale"),
        helper.make_node("Add", ["m1", "r1"], ["a1"], name="residual"),
        helper.make_node("GlobalAveragePool", ["a1"], ["g2"], name="average"),
        helper.make_node("Flatten", ["g2"], ["f1"], name="flat"),
        helper.make_node("Gemm", ["f1", "head_w", "head_b"], ["y"], name="head", transB=1),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 16, 16])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 10])]
    samples = [{"x": random.normal(size=(1, 3, 16, 16)).astype(np.float32)} for _ in range(3)]
    return helper.make_graph(nodes, "pictures", inputs, outputs, stored), samples


def words_model(random):
    """An embedding, attention and a feed-forward part; nodes without names."""
    def matrix(name, rows, columns):
        return tensor(name, (random.normal(size=(rows, columns)) / math.sqrt(rows)).astype(np.float32))

    stored = [
        tensor("table", random.normal(size=(50, 32)).astype(np.float32)),
        *(matrix(name, 32, 32) for name in ("q_w", "k_w", "v_w", "o_w")),
        matrix("up_w", 32, 64),
        tensor("up_b", random.normal(size=64).astype(np.float32)),
        matrix("down_w", 64, 32),
    ]
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["e"]),
        *(helper.make_node("MatMul", ["e", f"{name}_w"], [name]) for name in ("q", "k", "v")),
        helper.make_node("Transpose", ["k"], ["kt"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "kt"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["weights"], axis=-1),
        helper.make_node("MatMul", ["weights", "v"], ["mixed"]),
        helper.make_node("MatMul", ["mixed", "o_w"], ["o"]),
        helper.make_node("Add", ["o", "e"], ["h"]),
        helper.make_node("MatMul", ["h", "up_w"], ["u"]),
        helper.make_node("Add", ["u", "up_b"], ["ub"]),
        helper.make_node("Relu", ["ub"], ["ur"]),
        helper.make_node("MatMul", ["ur", "down_w"], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "length"])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", "length", 32])]
    samples = [{"ids": random.integers(0, 50, size=(1, 9))} for _ in range(3)]
    return helper.make_graph(nodes, "words", inputs, outputs, stored), samples


def folded_model(random):
    """Normalizations that are folded into Convs whose outputs are codes: one before a Relu, one before a Conv."""
    def kernel(name, *shape):
        return tensor(name, random.normal(size=shape).astype(np.float32) / math.sqrt(math.prod(shape[1:])))

    def norm(name, channels):
        return [tensor(f"{name}_{part}", random.uniform(0.5, 3, channels).astype(np.float32)) for part in ("s", "b", "m", "v")]

    stored = [
        *(kernel("one_w", 16, 3, 3, 3), *norm("n1", 16)),
        *(kernel("two_w", 16, 16, 3, 3), *norm("n2", 16)),
        kernel("head_w", 16, 16, 1, 1),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "one_w"], ["c1"], name="one", pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c1", *(f"n1_{part}" for part in "sbmv")], ["b1"], name="norm_one"),
        helper.make_node("Relu", ["b1"], ["r1"], name="relu"),
        helper.make_node("Conv", ["r1", "two_w"], ["c2"], name="two", pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c2", *(f"n2_{part}" for part in "sbmv")], ["b2"], name="norm_two"),
        helper.make_node("Conv", ["b2", "head_w"], ["y"], name="head"),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 8, 8])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 16, 8, 8])]
    samples = [{"x": random.normal(size=(1, 3, 8, 8)).astype(np.float32)} for _ in range(3)]
    return helper.make_graph(nodes, "folded", inputs, outputs, stored), samples


EXPORTS = {
    "qdq": "int8",
    "dynamic": "int8",
    "static": "static-int8",
    "float": "bfloat16",
    "float16": "float16",
    "nbits": "uint4-block32",
}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    golden = {}
    for build in (pictures_model, words_model, folded_model):
        name = build.__name__.removesuffix("_model")
        graph, samples = build(np.random.default_rng(1))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.checker.check_model(model)
        file, folder = OUT / f"{name}.onnx", OUT / name
        onnx.save(model, file)
        folder.mkdir(exist_ok=True)
        for at, sample in enumerate(samples):
            np.savez_compressed(folder / f"{at}.npz", **sample)
        golden[name] = {mode: exported_errors(model, file, folder, mode) for mode in EXPORTS}
        static = onnx.load(OUT / f"{name}.static.onnx")
        parts = {"weights": weights_only(static), "activations": activations_only(model, static)}
        # A value of the export stands in its copy for what it stands for in the export.
        known = {"weights": stands_for(model, static), "activations": None}
        for part, copied in parts.items():
            errors = layer_errors(model, copied, read_samples(folder), known[part])
            golden[name][f"static, {part}"] = figures(errors)
    (OUT / "layers.json").write_text(json.dumps(golden, indent=1).replace("Infinity", "1e999") + "\n")


def exported_errors(model, file, folder, mode):
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary) / "out.onnx"
        calibrate = ["--calibrate", str(folder)] if mode == "static" else []
        command = ["node", str(ROOT / "dist/cli.js"), "export", str(file), "--recipe", EXPORTS[mode], "--mode", mode]
        subprocess.run([*command, *calibrate, "--out", str(out), "--allow-unchanged"], check=True, stdout=subprocess.DEVNULL)
        # How a static export is planned changes more often than the rest: the tests measure this very file.
        if mode == "static":
            (OUT / f"{file.stem}.static.onnx").write_bytes(out.read_bytes())
        errors = layer_errors(model, onnx.load(out), read_samples(folder))
    return figures(errors)


def figures(errors):
    return {error["name"]: [round(error["local"], 3), round(error["accumulated"], 3)] for error in errors}


if __name__ == "__main__" and len(sys.argv) == 1:
    main()
elif __name__ == "__main__":
    found = layer_errors(onnx.load(sys.argv[1]), onnx.load(sys.argv[2]), read_samples(sys.argv[3]))
    if len(sys.argv) > 4:
        difference = compared(found, json.loads(Path(sys.argv[4]).read_text()))
        print(f"largest difference: {difference:.4f} dB")
        sys.exit(1 if difference > 0.1 else 0)
    print(json.dumps(found, indent=1))
