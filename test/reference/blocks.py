"""Blocks: opset-21 DequantizeLinear as onnxruntime's quantizer makes it."""

import numpy as np
import onnx
import onnxruntime
from golden import encoded, write
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quant_utils

TYPES = {
    "int8": TensorProto.INT8,
    "uint8": TensorProto.UINT8,
    "int4": TensorProto.INT4,
    "uint4": TensorProto.UINT4,
}


def matrices():
    rng = np.random.default_rng(42)
    normal = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    yield "normal", normal(64, 5)
    yield "tails shorter than a block", normal(37, 6)
    yield "less than one block", normal(9, 4)
    mixed = normal(48, 6) * np.float32([1e-6, 1e-3, 1, 1e3, 1e6, 1])
    mixed[:, 5] = 0
    mixed[:16, 0] = np.abs(mixed[:16, 0])
    mixed[:16, 1] = -np.abs(mixed[:16, 1])
    mixed[16:32, 2] = 0
    mixed[:16, 3] = np.float32(1e-39)
    yield "zeros, one-sided and tiny blocks", mixed
    yield "ties", (np.arange(96, dtype=np.float32).reshape(32, 3) - np.float32(40)) / np.float32(4)


def restored_by_runtime(initializer, scale, zero_point, onnx_type, axis, block, shape):
    """What the runtime's own DequantizeLinear makes of the codes."""
    zero = helper.make_tensor("z", onnx_type, scale.shape, zero_point.ravel().astype(int).tolist())
    node = helper.make_node("DequantizeLinear", [initializer.name, "s", "z"], ["y"], axis=axis, block_size=block)
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)
    scales = numpy_helper.from_array(scale.astype(np.float32), "s")
    graph = helper.make_graph([node], "g", [], [output], [initializer, scales, zero])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {})[0]


def blocked(weight, dtype, axis, block, symmetric):
    onnx_type = TYPES[dtype]
    zero_point, scale = quant_utils.compute_scale_zp_blocked(weight, onnx_type, axis, block, symmetric)
    tensor = numpy_helper.from_array(weight, "w")
    initializer = quant_utils.quantize_onnx_initializer(tensor, onnx_type, zero_point, scale, axis, "q", block)
    restored = restored_by_runtime(initializer, scale, zero_point, onnx_type, axis, block, weight.shape)
    return {
        "dtype": dtype,
        "symmetric": symmetric,
        "axis": axis,
        "block": block,
        "scale": encoded(scale),
        "zeroPoint": zero_point.ravel().astype(int).tolist(),
        # As it is stored: 4-bit codes packed.
        "codes": encoded(np.frombuffer(initializer.raw_data, np.uint8)),
        "restored": encoded(restored),
    }


def main():
    cases = []
    for name, weight in matrices():
        linear = [
            blocked(weight, dtype, axis, 16, symmetric)
            for dtype in TYPES
            for axis in (0, 1)
            for symmetric in (True, False)
        ]
        cases.append({"name": name, "shape": list(weight.shape), "values": encoded(weight), "linear": linear})
    write("blocks.json", f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}", {"cases": cases})


if __name__ == "__main__":
    main()
