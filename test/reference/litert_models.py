"""Small models as LiteRT's converter makes them: float, in dynamic range, and with float16 weights.

Needs tensorflow, which is best kept in an environment of its own (see README.md).
"""

import base64
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
from golden import encoded, sha256, write
from tensorflow.lite.python import schema_py_generated as schema

OPERATORS = {value: name for name, value in vars(schema.BuiltinOperator).items() if name.isupper()}


def variables():
    rng = np.random.default_rng(11)
    return lambda *shape: tf.Variable((rng.standard_normal(shape) * 0.3).astype(np.float32))


def functions():
    """One operator each, of weights just over the 1024 elements under which the converter leaves them."""
    weight = variables()
    conv, grouped, depthwise = weight(3, 3, 8, 16), weight(3, 3, 4, 32), weight(5, 5, 48, 1)
    dense, table, matrices, transposed = weight(64, 18), weight(80, 16), weight(2, 24, 24), weight(3, 3, 8, 16)
    yield "conv", [1, 6, 6, 8], tf.float32, lambda x: tf.nn.conv2d(x, conv, 1, "SAME")
    yield "grouped_conv", [1, 6, 6, 16], tf.float32, lambda x: tf.nn.conv2d(x, grouped, 1, "SAME")
    yield "depthwise", [1, 6, 6, 48], tf.float32, lambda x: tf.nn.depthwise_conv2d(x, depthwise, [1, 1, 1, 1], "SAME")
    yield "dense", [2, 64], tf.float32, lambda x: tf.matmul(x, dense)
    yield "gather", [5], tf.int32, lambda x: tf.gather(table, x)
    yield "batch_matmul", [2, 4, 24], tf.float32, lambda x: tf.matmul(x, matrices)
    yield "transpose_conv", [1, 3, 3, 16], tf.float32, lambda x: tf.nn.conv2d_transpose(x, transposed, [1, 6, 6, 8], 2, "SAME")


def lstm():
    """A Keras LSTM, which becomes a WHILE with its weights in a graph of their own."""
    tf.keras.utils.set_random_seed(5)
    return tf.keras.Sequential([tf.keras.Input([4, 48], batch_size=1), tf.keras.layers.LSTM(16)])


def converters():
    for name, shape, dtype, function in functions():
        concrete = tf.function(function, input_signature=[tf.TensorSpec(shape, dtype)]).get_concrete_function()
        yield name, lambda: tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module())
    model = lstm()
    yield "lstm", lambda: tf.lite.TFLiteConverter.from_keras_model(model)


def convert(make, *, optimize, half=False):
    converter = make()
    if optimize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if half:
        converter.target_spec.supported_types = [tf.float16]
    return converter.convert()


def stored(content, kind):
    """Tensors of a type that a buffer holds: shape, axis, scales and bytes; and the versions of operators."""
    model = schema.ModelT.InitFromPackedBuf(content)
    tensors = []
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            data = model.buffers[tensor.buffer].data
            if tensor.type != kind or data is None or len(data) == 0 or np.prod(tensor.shape) < 1024:
                continue
            parameters = tensor.quantization
            scale = getattr(parameters, "scale", None)
            tensors.append({
                "shape": [int(size) for size in tensor.shape],
                "axis": int(parameters.quantizedDimension) if parameters else 0,
                "scale": None if scale is None else encoded(np.asarray(scale, np.float32)),
                "codes": sha256(np.asarray(data, np.uint8)),
            })
    versions = {}
    for graph in model.subgraphs:
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            name = OPERATORS[max(code.builtinCode, code.deprecatedBuiltinCode)]
            asymmetric = getattr(operator.builtinOptions, "asymmetricQuantizeInputs", None)
            versions[name] = {"version": int(code.version), "asymmetric": None if asymmetric is None else bool(asymmetric)}
    return {"tensors": sorted(tensors, key=lambda tensor: tensor["shape"]), "operators": versions}


def main():
    models = []
    for name, make in converters():
        models.append({
            "name": name,
            "float": base64.b64encode(convert(make, optimize=False)).decode(),
            "dynamic": stored(convert(make, optimize=True), schema.TensorType.INT8),
            "float16": stored(convert(make, optimize=True, half=True), schema.TensorType.FLOAT16),
        })
    write("litert_models.json", f"tensorflow {tf.__version__}", {"models": models})


if __name__ == "__main__":
    main()
