"""Arena of tf.lite.Interpreter without XNNPACK: bytes from the first to the last value between operators, and of kernels' scratch.

Usage: python test/reference/litert_arena.py MODEL.tflite...   Beside the arena that quantscope export --mode static tells.
Needs tensorflow-cpu.
"""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema


def values_of(file):
    """Where each value lies, how large it is, and whether it is scratch of a kernel."""
    kind = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = tf.lite.Interpreter(model_path=file, num_threads=1, experimental_op_resolver_type=kind)
    interpreter.allocate_tensors()
    with open(file, "rb") as content:
        model = schema.ModelT.InitFromPackedBuf(content.read())
    graph = model.subgraphs[0]
    used = {tensor for operator in graph.operators for tensor in [*operator.inputs, *operator.outputs]}
    for detail in interpreter.get_tensor_details():
        index = detail["index"]
        is_scratch = index >= len(graph.tensors)
        if not is_scratch and (index not in used or model.buffers[graph.tensors[index].buffer].data is not None):
            continue
        try:
            array = interpreter.tensor(index)()
        except ValueError:
            continue
        yield array.__array_interface__["data"][0], array.nbytes, is_scratch


def main():
    for file in sys.argv[1:]:
        values = [value for value in values_of(file) if value[1] > 0]
        start = min(at for at, _, _ in values)
        end = max(at + size for at, size, _ in values)
        scratch = sum(size for _, size, is_scratch in values if is_scratch)
        print(f"{os.path.basename(file)}: {end - start} bytes, {scratch} of them scratch")


if __name__ == "__main__":
    main()
