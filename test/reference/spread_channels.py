"""A model whose depthwise layers make channels that are far apart, and whose float results are the same.

spread_channels.py MODEL OUT multiplies each channel of the depthwise Convs before a Relu by a power of two from 1/16 to
16, and divides the weights of the Conv behind the Relu by it. docs/accuracy.md has what equalization makes of that.
"""

import sys

import numpy as np
import onnx
from onnx import numpy_helper


def main():
    source, out = sys.argv[1:]
    model = onnx.load(source)
    graph, rng = model.graph, np.random.default_rng(7)
    stored = {each.name: each for each in graph.initializer}
    takers = {}
    for node in graph.node:
        for name in node.input:
            takers.setdefault(name, []).append(node)

    def scale(name, factors):
        values = numpy_helper.to_array(stored[name]) * factors
        stored[name].CopyFrom(numpy_helper.from_array(values.astype(np.float32), name))

    for node in graph.node:
        if node.op_type != "Conv" or not any(a.name == "group" and a.i > 1 for a in node.attribute):
            continue
        behind = takers[node.output[0]]
        last = takers[behind[0].output[0]] if [each.op_type for each in behind] == ["Relu"] else []
        if [each.op_type for each in last] != ["Conv"]:
            continue
        factors = 2.0 ** rng.integers(-4, 5, stored[node.input[1]].dims[0])
        scale(node.input[1], factors.reshape(-1, 1, 1, 1))
        if len(node.input) > 2:
            scale(node.input[2], factors)
        scale(last[0].input[1], 1 / factors.reshape(1, -1, 1, 1))
    onnx.save(model, out)


if __name__ == "__main__":
    main()
