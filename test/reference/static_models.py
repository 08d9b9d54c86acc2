"""Small models that cover the rules of onnxruntime's quantize_static, for static.py. Each carries a large, plain weight
beside what it tests (`ballast`), so that an export of it is smaller than its source whatever else is added."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


class Builder:
    def __init__(self, seed, opset=17):
        self.random = np.random.default_rng(seed)
        self.opset = opset
        self.nodes, self.tensors, self.inputs, self.outputs = [], [], [], []
        self.input("ballast_in", [1, 64])
        weight = ((np.arange(64 * 256) * 7) % 13 - 6).reshape(64, 256) / 8
        self.node("MatMul", ["ballast_in", self.tensor("ballast", weight)], ["ballast_out"])
        self.output("ballast_out", [1, 256])

    def input(self, name, shape, dtype=FLOAT):
        self.inputs.append((name, shape, dtype))
        return name

    def output(self, name, shape, dtype=FLOAT):
        self.outputs.append(helper.make_tensor_value_info(name, dtype, shape))

    def tensor(self, name, values, dtype=np.float32):
        self.tensors.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def weight(self, name, *shape, scale=1.0):
        return self.tensor(name, self.random.standard_normal(shape) * scale)

    def node(self, op, inputs, outputs, **attributes):
        self.nodes.append(helper.make_node(op, inputs, outputs, name=f"{op}_{outputs[0]}", **attributes))
        return outputs[0]

    def conv(self, name, x, channels, into, bias=True, size=3, **attributes):
        inputs = [x, self.weight(f"{name}_w", channels, into, size, size, scale=0.3)]
        if bias:
            inputs.append(self.weight(f"{name}_b", channels))
        return self.node("Conv", inputs, [name], **attributes)

    def model(self):
        infos = [helper.make_tensor_value_info(n, t, s) for n, s, t in self.inputs]
        graph = helper.make_graph(self.nodes, "graph", infos, self.outputs, self.tensors)
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def samples(self, count=2):
        return [{n: self.sample(s, t) for n, s, t in self.inputs} for _ in range(count)]

    def sample(self, shape, dtype):
        if dtype == INT64:
            return self.random.integers(0, 6, shape)
        if dtype == BOOL:
            return self.random.integers(0, 2, shape).astype(bool)
        return self.random.standard_normal(shape).astype(np.float32)


def chain():
    b = Builder(1)
    b.input("x", [1, 3, 8, 8])
    b.node("Relu", [b.conv("c1", "x", 8, 3)], ["r1"])
    limits = [b.tensor("zero", 0.0), b.tensor("six", 6.0)]
    b.node("Clip", [b.conv("c2", "r1", 8, 8), *limits], ["r2"])
    b.node("MaxPool", ["r2"], ["p"], kernel_shape=[2, 2])
    b.node("Flatten", ["p"], ["f"])
    b.node("Gemm", ["f", b.weight("g_w", 72, 5), b.weight("g_b", 5)], ["g"])
    b.node("Sigmoid", ["g"], ["y"])
    b.output("y", [1, 5])
    return b


def shapes():
    b = Builder(2)
    b.input("x", [1, 3, 8, 8])
    b.conv("c", "x", 4, 3)
    b.node("Reshape", ["c", b.tensor("to", [1, 4, 36], np.int64)], ["a"])
    b.node("Transpose", ["a"], ["t"], perm=[0, 2, 1])
    ends = [b.tensor(n, v, np.int64) for n, v in (("from", [2]), ("until", [30]), ("on", [1]))]
    b.node("Slice", ["t", *ends], ["s"])
    b.node("MatMul", ["s", b.weight("m_w", 4, 6)], ["m"])
    b.node("Unsqueeze", ["m", b.tensor("first", [1], np.int64)], ["u"])
    b.node("Tanh", ["u"], ["th"])
    b.node("Squeeze", ["th", b.tensor("second", [1], np.int64)], ["q"])
    b.output("q", [1, 28, 6])
    b.output("u", [1, 1, 28, 6])
    return b


def elementwise():
    b = Builder(3)
    b.input("x", [1, 16])
    b.node("MatMul", ["x", b.weight("m_w", 16, 8)], ["m"])
    b.node("Mul", ["m", b.weight("by", 8)], ["scaled"])
    b.node("Add", ["scaled", b.tensor("plus", 0.75)], ["a"])
    b.node("Softmax", ["a"], ["s"])
    b.node("Sub", ["a", b.weight("minus", 8)], ["d"])
    b.node("Relu", ["d"], ["r"])
    b.node("LeakyRelu", ["m"], ["l"], alpha=0.2)
    b.node("ArgMax", ["l"], ["best"], axis=1)
    b.node("CumSum", ["l", b.tensor("axis", 1, np.int64)], ["sum"])
    for name in ("s", "r", "sum"):
        b.output(name, [1, 8])
    b.output("best", [1, 1], INT64)
    return b


def branches():
    b = Builder(4)
    b.input("x", [1, 4, 6, 6])
    b.input("which", [1, 4, 4, 4], BOOL)
    first, second = b.conv("c1", "x", 4, 4), b.conv("c2", "x", 4, 4, bias=False)
    b.node("Concat", [first, second], ["both"], axis=1)
    b.node("Split", ["both", b.tensor("parts", [4, 4], np.int64)], ["s1", "s2"], axis=1)
    b.node("Add", ["s1", "s2"], ["a"])
    b.node("Where", ["which", "a", "s1"], ["w"])
    b.node("Sqrt", ["s2"], ["root"])
    b.node("GlobalAveragePool", ["w"], ["y"])
    b.output("y", [1, 4, 1, 1])
    b.output("root", [1, 4, 4, 4])
    return b


def gathers():
    b = Builder(5)
    b.input("ids", [1, 5], INT64)
    b.input("picks", [1, 5, 4], INT64)
    b.node("Gather", [b.weight("table", 12, 8), "ids"], ["e"])
    b.node("MatMul", ["e", b.weight("m_w", 8, 8)], ["m"])
    b.node("GatherElements", ["m", "picks"], ["ge"], axis=2)
    b.node("TopK", ["ge", b.tensor("k", [2], np.int64)], ["top", "where"])
    b.node("Gather", ["top", b.tensor("last", 1, np.int64)], ["y"], axis=2)
    b.output("y", [1, 5])
    b.output("where", [1, 5, 2], INT64)
    return b


def pads():
    b = Builder(6)
    b.input("x", [1, 3, 6, 6])
    b.conv("c", "x", 3, 3)
    pads_ = b.tensor("pads", [0, 0, 1, 1, 0, 0, 1, 1], np.int64)
    b.node("Pad", ["c", pads_], ["p1"])
    b.node("Pad", ["c", pads_, b.tensor("nought", 0.0)], ["p2"])
    b.node("Pad", ["c", pads_, b.tensor("more", 7.5)], ["p3"])
    b.node("Pad", ["c", pads_], ["p4"], mode="reflect")
    b.node("Pad", ["c", pads_], ["p5"], mode="edge")
    b.node("Concat", ["p1", "p2", "p3", "p4", "p5"], ["y"], axis=1)
    b.output("y", [1, 15, 6, 6])
    return b


def pools():
    b = Builder(7)
    b.input("x", [1, 3, 8, 8])
    b.conv("c", "x", 4, 3)
    b.node("AveragePool", ["c"], ["a"], kernel_shape=[2, 2])
    b.node("Resize", ["a", "", b.tensor("twice", [1, 1, 2, 2])], ["r"], mode="linear")
    b.node("ConvTranspose", ["r", b.weight("t_w", 4, 2, 3, 3), b.weight("t_b", 2)], ["t"])
    b.node("MaxPool", ["t"], ["y"], kernel_shape=[3, 3])
    b.output("y", [1, 2, 10, 10])
    return b


def norms():
    b = Builder(8)
    b.input("x", [1, 4, 6, 6])
    b.node("InstanceNormalization", ["x", b.weight("i_s", 4), b.weight("i_b", 4)], ["i"])
    b.node("Relu", ["i"], ["r"])
    stats = [b.weight("b_m", 4), b.tensor("b_v", [0.5, 1, 2, 3])]
    b.node("BatchNormalization", ["r", b.weight("b_s", 4), b.weight("b_b", 4), *stats], ["n"])
    b.node("LayerNormalization", ["n", b.weight("l_s", 6), b.weight("l_b", 6)], ["y"])
    b.output("y", [1, 4, 6, 6])
    return b


def shared():
    b = Builder(9)
    b.input("x", [1, 4, 6, 6])
    w, bias = b.weight("w", 4, 4, 3, 3), b.weight("b", 4)
    b.node("Conv", ["x", w, bias], ["c1"])
    b.node("Conv", ["c1", w, bias], ["c2"])
    b.node("Relu", ["c1"], ["r1"])
    b.node("Relu", ["c2"], ["r2"])
    b.output("r1", [1, 4, 4, 4])
    b.output("r2", [1, 4, 2, 2])
    return b


def extremes():
    b = Builder(10)
    b.input("x", [1, 3, 6, 6])
    weights = b.random.standard_normal((4, 3, 3, 3))
    weights[0] *= 1e-9
    weights[1] = 0
    b.tensor("w", weights)
    b.tensor("b", [100.0, 1.0, -2.0, 0.0])
    b.node("Conv", ["x", "w", "b"], ["c"])
    b.node("Mul", ["c", b.tensor("nothing", np.zeros((4, 1, 1)))], ["z"])
    b.node("Clip", ["z", b.tensor("low", -1.0), b.tensor("high", 1.0)], ["zc"])
    b.node("Gemm", [b.node("Flatten", ["zc"], ["f"]), b.weight("g_w", 5, 64, scale=1e-8), b.tensor("g_b", [50.0, 1, 2, 3, 4])], ["y"], transB=1)
    b.output("y", [1, 5])
    return b


def products():
    b = Builder(11)
    b.input("x", [2, 6, 8])
    b.node("MatMul", ["x", b.weight("q_w", 8, 8)], ["q"])
    b.node("MatMul", ["x", b.weight("k_w", 8, 8)], ["k"])
    b.node("Transpose", ["k"], ["kt"], perm=[0, 2, 1])
    b.node("MatMul", ["q", "kt"], ["s"])
    b.node("Softmax", ["s"], ["p"])
    b.node("MatMul", ["p", "x"], ["y"])
    b.output("y", [2, 6, 8])
    return b


SMALL = {
    f.__name__: f
    for f in (chain, shapes, elementwise, branches, gathers, pads, pools, norms, shared, extremes, products)
}
