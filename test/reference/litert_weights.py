"""Weights as LiteRT's converter stores them with dynamic range quantization.

Needs tensorflow, which is best kept in an environment of its own (see README.md).
"""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
from golden import encoded, write


def weights():
    rng = np.random.default_rng(9)
    dense = rng.standard_normal((64, 24)).astype(np.float32) * np.geomspace(1e-3, 10, 24).astype(np.float32)
    dense[:, 7] = 0
    # Channels about 5e-7, below which the converter widens the range to that.
    for column, limit in enumerate([1e-39, 1e-8, 4.9e-7, 5e-7, 5.1e-7, 9e-7, 1.1e-6]):
        dense[:, 10 + column] *= np.float32(limit) / np.abs(dense[:, 10 + column]).max()
    filters = rng.standard_normal((3, 3, 8, 24)).astype(np.float32) * np.geomspace(1e-2, 10, 24).astype(np.float32)
    depthwise = rng.standard_normal((5, 5, 48, 1)).astype(np.float32)
    return dense, filters, depthwise


class Model(tf.Module):
    def __init__(self, dense, filters, depthwise):
        super().__init__()
        self.dense = tf.Variable(dense)
        self.filters = tf.Variable(filters)
        self.depthwise = tf.Variable(depthwise)

    @tf.function(input_signature=[tf.TensorSpec([1, 8, 8, 8], tf.float32)])
    def __call__(self, x):
        y = tf.nn.conv2d(x, self.filters, 1, "SAME")
        y = tf.nn.depthwise_conv2d(tf.concat([y, y], -1), self.depthwise, [1, 1, 1, 1], "SAME")
        y = tf.reshape(tf.concat([y[:, 0, 0, :], y[:, 0, 1, :16]], -1), [1, 64])
        return tf.matmul(y, self.dense)


def main():
    dense, filters, depthwise = weights()
    model = Model(dense, filters, depthwise)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([model.__call__.get_concrete_function()], model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    # In the layouts of FULLY_CONNECTED, CONV_2D and DEPTHWISE_CONV_2D.
    sources = {
        (24, 64): ("FULLY_CONNECTED", dense.T),
        (24, 3, 3, 8): ("CONV_2D", filters.transpose(3, 0, 1, 2)),
        (1, 5, 5, 48): ("DEPTHWISE_CONV_2D", depthwise.transpose(3, 0, 1, 2)),
    }
    cases = []
    for detail in interpreter.get_tensor_details():
        found = sources.get(tuple(detail["shape"]))
        if found is None or detail["dtype"] != np.int8:
            continue
        parameters = detail["quantization_parameters"]
        assert not parameters["zero_points"].any()
        cases.append({
            "name": found[0],
            "shape": list(found[1].shape),
            "axis": int(parameters["quantized_dimension"]),
            "values": encoded(found[1]),
            "scale": encoded(parameters["scales"]),
            "codes": encoded(interpreter.get_tensor(detail["index"])),
        })
    assert len(cases) == len(sources)
    write("litert_weights.json", f"tensorflow {tf.__version__}", {"cases": sorted(cases, key=lambda case: case["name"])})


if __name__ == "__main__":
    main()
