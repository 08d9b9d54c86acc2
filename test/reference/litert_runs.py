"""What tf.lite.Interpreter answers: the models of litert_models.py, float, in dynamic range and with float16 weights,
and, in samples, the real models.

Inputs are a formula, so that a test can make them again: float k is ((k + 1) * 2654435761 mod 2^32) / 2^32,
integer k is k mod 10. XNNPACK runs, as it does in LiteRT's WebAssembly build: some real models have a custom operator
that it alone takes. Needs tensorflow (see README.md).
"""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
from golden import FOLDER, encoded, write
from litert_models import convert, converters

# Values of an output of a real model that are kept.
KEPT = 128
# The model whose values between operators are kept by their ranges.
OBSERVED = "face_detection_short_range.tflite"


def filled(shape, dtype):
    index = np.arange(int(np.prod(shape)))
    if dtype != np.float32:
        return (index % 10).astype(dtype).reshape(shape)
    return ((index + 1) * 2654435761 % 2**32 / 2**32).astype(np.float32).reshape(shape)


def outputs_of(content):
    interpreter = tf.lite.Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    signatures = interpreter.get_signature_list()
    if signatures:
        runner = interpreter.get_signature_runner(next(iter(signatures)))
        details = runner.get_input_details()
        return runner(**{name: filled(each["shape"], each["dtype"]) for name, each in details.items()})
    for each in interpreter.get_input_details():
        interpreter.set_tensor(each["index"], filled(each["shape"], each["dtype"]))
    interpreter.invoke()
    return {each["name"]: interpreter.get_tensor(each["index"]) for each in interpreter.get_output_details()}


def ranges_of(content):
    """The least and greatest value of each float tensor, by the plain kernels: XNNPACK keeps none between operators."""
    plain = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = tf.lite.Interpreter(
        model_content=content, experimental_op_resolver_type=plain, experimental_preserve_all_tensors=True
    )
    interpreter.allocate_tensors()
    for each in interpreter.get_input_details():
        interpreter.set_tensor(each["index"], filled(each["shape"], each["dtype"]))
    interpreter.invoke()
    ranges = {}
    for each in interpreter.get_tensor_details():
        if each["dtype"] == np.float32:
            values = interpreter.get_tensor(each["index"])
            ranges[each["name"]] = [float(values.min()), float(values.max())]
    return ranges


def described(content, most):
    outputs = []
    for name, values in sorted(outputs_of(content).items()):
        step = max(1, values.size // most)
        outputs.append({
            "name": name,
            "shape": list(values.shape),
            "step": step,
            "values": encoded(values.ravel()[::step].astype(np.float32)),
        })
    return outputs


def main():
    variants = {"float": {"optimize": False}, "dynamic": {"optimize": True}, "float16": {"optimize": True, "half": True}}
    made = [
        {"model": name, "variant": variant, "outputs": described(convert(make, **options), 2**20)}
        for name, make in converters()
        for variant, options in variants.items()
    ]
    real = sorted((FOLDER.parents[2] / "node_modules/@mediapipe").glob("*/*.tflite"))
    observed = next(file for file in real if file.name == OBSERVED)
    write(
        "litert_runs.json",
        f"tensorflow {tf.__version__}",
        {
            "made": made,
            "real": [{"file": file.name, "outputs": described(file.read_bytes(), KEPT)} for file in real],
            "ranges": {"file": OBSERVED, "values": ranges_of(observed.read_bytes())},
        },
    )


if __name__ == "__main__":
    main()
