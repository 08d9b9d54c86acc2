"""Float models of one operator each, for those that the converter no longer makes of Keras layers.

    python test/reference/litert_kernels.py FOLDER   (tensorflow-cpu 2.21.0)

Written with the schema's object API, so that check_litert.py can tell which weights the hybrid kernels
of tf.lite take, per tensor and per channel, and what its DEQUANTIZE restores.
"""

import pathlib
import sys

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

OPS = schema.BuiltinOperator


class Builder:
    """One subgraph with one operator."""

    def __init__(self, seed=1):
        self.random = np.random.default_rng(seed)
        self.tensors, self.buffers = [], [schema.BufferT()]
        self.inputs, self.operands = [], []

    def tensor(self, name, shape, kind=schema.TensorType.FLOAT32, values=None, variable=False):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), kind, 0
        tensor.isVariable = variable
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
            tensor.buffer = len(self.buffers)
            self.buffers.append(buffer)
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def input(self, shape, kind=schema.TensorType.FLOAT32):
        self.inputs.append(self.tensor("x", shape, kind))
        return self.inputs[-1]

    def weight(self, *shape, scale=0.3):
        values = (self.random.standard_normal(shape) * scale).astype(np.float32)
        return self.tensor(f"w{len(self.tensors)}", shape, values=values)

    def bias(self, size):
        return self.weight(size, scale=0.1)

    def ints(self, values):
        values = np.asarray(values, np.int32)
        return self.tensor(f"i{len(self.tensors)}", values.shape, schema.TensorType.INT32, values)

    def state(self, *shape):
        return self.tensor(f"s{len(self.tensors)}", shape, variable=True)

    def file(self, op, operands, shapes, options=None, **fields):
        operator = schema.OperatorT()
        operator.inputs = operands
        operator.outputs = [self.tensor(f"y{at}", shape) for at, shape in enumerate(shapes)]
        if options is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            operator.builtinOptions = getattr(schema, options + "T")()
            for name, value in fields.items():
                setattr(operator.builtinOptions, name, value)
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode = op, min(op, 127)
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self.tensors, [operator]
        graph.inputs, graph.outputs = self.inputs, list(operator.outputs)
        model = schema.ModelT()
        model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
        model.buffers, model.description = self.buffers, "one operator"
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def lstm_weights(b, inputs, units):
    return (
        [b.weight(units, inputs) for _ in range(4)]
        + [b.weight(units, units) for _ in range(4)]
        + [-1, -1, -1]
        + [b.bias(units) for _ in range(4)]
        + [-1, -1]
    )


def make():
    b = Builder()
    x = b.input([4], schema.TensorType.INT32)
    yield "embedding_lookup", b.file(OPS.EMBEDDING_LOOKUP, [x, b.weight(100, 32)], [[4, 32]])

    b = Builder()
    x = b.input([2, 48])
    memory, units, rank = 10, 64, 2
    operands = [x, b.weight(units * rank, 48), b.weight(units * rank, memory), b.bias(units), b.state(2, memory * units * rank)]
    yield "svdf", b.file(OPS.SVDF, operands, [[2, units]], "SVDFOptions", rank=rank, fusedActivationFunction=1)

    b = Builder()
    x = b.input([2, 40])
    operands = [x, b.weight(48, 40), b.weight(48, 48), b.bias(48), b.state(2, 48)]
    yield "rnn", b.file(OPS.RNN, operands, [[2, 48]], "RNNOptions", fusedActivationFunction=4)

    b = Builder()
    x = b.input([2, 5, 40])
    operands = [x, b.weight(48, 40), b.weight(48, 48), b.bias(48), b.state(2, 48)]
    yield "sequence_rnn", b.file(OPS.UNIDIRECTIONAL_SEQUENCE_RNN, operands, [[2, 5, 48]], "SequenceRNNOptions", fusedActivationFunction=4)

    b = Builder()
    x = b.input([2, 5, 40])
    one = lambda: [b.weight(48, 40), b.weight(48, 48), b.bias(48), b.state(2, 48)]
    operands = [x, *one(), *one(), -1, -1, -1]
    yield "bidirectional_rnn", b.file(
        OPS.BIDIRECTIONAL_SEQUENCE_RNN, operands, [[2, 5, 96]], "BidirectionalSequenceRNNOptions", fusedActivationFunction=4, mergeOutputs=True
    )

    b = Builder()
    x = b.input([2, 40])
    operands = [x, *lstm_weights(b, 40, 48), b.state(2, 48), b.state(2, 48)]
    yield "lstm_cell", b.file(OPS.LSTM, operands, [[2, 48]], "LSTMOptions", fusedActivationFunction=4)

    b = Builder()
    x = b.input([2, 5, 40])
    operands = [x, *lstm_weights(b, 40, 48), b.state(2, 48), b.state(2, 48)]
    yield "sequence_lstm", b.file(OPS.UNIDIRECTIONAL_SEQUENCE_LSTM, operands, [[2, 5, 48]], "UnidirectionalSequenceLSTMOptions", fusedActivationFunction=4)

    b = Builder()
    x = b.input([2, 5, 40])
    forward, backward = lstm_weights(b, 40, 48), lstm_weights(b, 40, 48)
    operands = [x, *forward, *backward, b.state(2, 48), b.state(2, 48), b.state(2, 48), b.state(2, 48), *([-1] * 9)]
    yield "bidirectional_lstm", b.file(
        OPS.BIDIRECTIONAL_SEQUENCE_LSTM,
        operands,
        [[2, 5, 96]],
        "BidirectionalSequenceLSTMOptions",
        timeMajor=False,
        fusedActivationFunction=4,
        mergeOutputs=True,
    )

    for adjoint in (False, True):
        b = Builder()
        x = b.input([4, 8, 48])
        weight = b.weight(4, 32, 48) if adjoint else b.weight(4, 48, 32)
        yield f"batch_matmul{'_adj' if adjoint else ''}", b.file(OPS.BATCH_MATMUL, [x, weight], [[4, 8, 32]], "BatchMatMulOptions", adjY=adjoint)

    b = Builder()
    x = b.input([4, 48, 8])
    yield "batch_matmul_left", b.file(OPS.BATCH_MATMUL, [b.weight(4, 32, 48), x], [[4, 32, 8]], "BatchMatMulOptions")

    b = Builder()
    x = b.input([1, 12, 12, 16])
    fields = {"padding": 0, "strideW": 1, "strideH": 1, "dilationWFactor": 2, "dilationHFactor": 2}
    yield "conv_dilated", b.file(OPS.CONV_2D, [x, b.weight(24, 3, 3, 16), b.bias(24)], [[1, 12, 12, 24]], "Conv2DOptions", **fields)

    b = Builder()
    x = b.input([1, 12, 12, 64])
    yield "depthwise_multiplied", b.file(
        OPS.DEPTHWISE_CONV_2D, [x, b.weight(1, 3, 3, 128), b.bias(128)], [[1, 12, 12, 128]], "DepthwiseConv2DOptions", **fields, depthMultiplier=2
    )

    b = Builder()
    x = b.input([1, 6, 6, 24])
    operands = [b.ints([1, 12, 12, 16]), b.weight(16, 3, 3, 24), x, b.bias(16)]
    yield "transpose_conv_bias", b.file(OPS.TRANSPOSE_CONV, operands, [[1, 12, 12, 16]], "TransposeConvOptions", padding=0, strideW=2, strideH=2)

    b = Builder()
    x = b.input([2, 3, 64])
    yield "dense_bias", b.file(OPS.FULLY_CONNECTED, [x, b.weight(48, 64), b.bias(48)], [[2, 3, 48]], "FullyConnectedOptions", keepNumDims=True)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in make():
        (folder / f"{name}.tflite").write_bytes(content)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
