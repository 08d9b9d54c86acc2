"""Which operators XNNPACK runs, by how their weights and biases are stored.

    python test/reference/litert_delegate.py   (tensorflow-cpu 2.21.0)

One operator a model, its weights and its bias as float32, or restored by DEQUANTIZE or CAST. Prints a
table, and fails when the rule that electron/engine/formats/litert/fit/fit-biases.ts follows does not hold:
CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED run in XNNPACK only when weight and bias are both restored
from float16 or neither is, and the weight is float32, float16 or int8.
"""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import flatbuffers
import ml_dtypes
import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

OPS, TYPES = schema.BuiltinOperator, schema.TensorType
PADDING = {"padding": 0, "strideW": 1, "strideH": 1}
# Shapes of input, weights, bias and output, the channel axis, and the options.
OPERATORS = {
    "CONV_2D": ([1, 12, 12, 16], [24, 3, 3, 16], 24, [1, 12, 12, 24], 0, "Conv2DOptions", PADDING),
    "DEPTHWISE_CONV_2D": ([1, 12, 12, 16], [1, 3, 3, 16], 16, [1, 12, 12, 16], 3, "DepthwiseConv2DOptions", {**PADDING, "depthMultiplier": 1}),
    "FULLY_CONNECTED": ([1, 16], [24, 16], 24, [1, 24], 0, "FullyConnectedOptions", {}),
}
WEIGHTS = ["float32", "float16", "int8 per tensor", "int8 per channel", "int16", "bfloat16"]


class Model:
    def __init__(self):
        self.random = np.random.default_rng(1)
        self.tensors, self.buffers, self.operators, self.codes = [], [schema.BufferT()], [], []

    def tensor(self, shape, kind=TYPES.FLOAT32, values=None, scale=None, axis=0):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = f"t{len(self.tensors)}", shape, kind
        if scale is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = scale, [0] * len(scale)
            tensor.quantization.quantizedDimension = axis
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
            tensor.buffer = len(self.buffers)
            self.buffers.append(buffer)
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def operator(self, op, inputs, shape, version=1, options=None, fields=None):
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = op, min(op, 127), version
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs = len(self.codes), inputs
        operator.outputs = [self.tensor(shape)]
        if options is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            operator.builtinOptions = getattr(schema, options + "T")()
            for name, value in (fields or {}).items():
                setattr(operator.builtinOptions, name, value)
        self.codes.append(code)
        self.operators.append(operator)
        return operator.outputs[0]

    def stored(self, shape, form, axis):
        """A constant stored as `form`, and as float32 again."""
        values = (self.random.standard_normal(shape) * 0.3).astype(np.float32)
        if form == "float32":
            return self.tensor(shape, values=values)
        if form == "float16":
            return self.operator(OPS.DEQUANTIZE, [self.tensor(shape, TYPES.FLOAT16, values.astype(np.float16))], shape, 3)
        if form == "bfloat16":
            kept = self.tensor(shape, TYPES.BFLOAT16, values.astype(ml_dtypes.bfloat16))
            return self.operator(OPS.CAST, [kept], shape, 7, "CastOptions", {"inDataType": TYPES.BFLOAT16, "outDataType": TYPES.FLOAT32})
        axes = tuple(at for at in range(len(shape)) if at != axis) if form == "int8 per channel" else None
        most, kind, dtype, version = (32767, TYPES.INT16, np.int16, 3) if form == "int16" else (127, TYPES.INT8, np.int8, 5)
        scale = np.abs(values).max(axis=axes, keepdims=True) / most
        codes = np.rint(values / scale).astype(dtype)
        return self.operator(OPS.DEQUANTIZE, [self.tensor(shape, kind, codes, np.ravel(scale).tolist(), axis if axes else 0)], shape, version)

    def file(self, x, y):
        graph = schema.SubGraphT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = self.tensors, self.operators, [x], [y]
        model = schema.ModelT()
        model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, self.codes, [graph], self.buffers
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def is_delegated(op, weight, bias):
    shape, weights, channels, made, axis, options, fields = OPERATORS[op]
    model = Model()
    x = model.tensor(shape)
    inputs = [x, model.stored(weights, weight, axis), model.stored([channels], bias, 0)]
    y = model.operator(getattr(OPS, op), inputs, made, 1, options, fields)
    interpreter = tf.lite.Interpreter(model_content=model.file(x, y))
    interpreter.allocate_tensors()
    interpreter.invoke()
    return any(each["op_name"] == "DELEGATE" and y in list(each["outputs"]) for each in interpreter._get_ops_details())


def main():
    failed = 0
    print("| operator | weight | bias float32 | bias float16 |")
    print("|---|---|---|---|")
    for op in OPERATORS:
        for weight in WEIGHTS:
            found = {bias: is_delegated(op, weight, bias) for bias in ("float32", "float16")}
            for bias, runs in found.items():
                folds = weight not in ("int16", "bfloat16")
                failed += runs != (folds and (weight == "float16") == (bias == "float16"))
            print(f"| {op} | {weight} | {' | '.join('XNNPACK' if runs else 'other kernels' for runs in found.values())} |")
    print(f"\n{failed} differ from the rule")
    sys.exit(1 if failed else 0)


main()
