"""Small Keras models as LiteRT's converter makes them, float and full integer, with what it chose of the same samples.

A golden holds, for each model: the float file; the samples; and of the full integer files on int8 ("narrow") and on
int16 activations ("wide") each tensor's scales and zero points, the codes of weights and biases, the operators, and
what tf.lite.Interpreter gives for the first sample. Where the converter refuses int16, the golden holds its words and
what it makes when some operators may stay in float; where the interpreter refuses that, its words as well.
check_litert_static.py runs Quantscope's exports of the same models. With an argument, writes the files there as well.
Needs tensorflow (see README.md).
"""

import base64
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow as tf
from golden import encoded, write
from tensorflow.lite.python import schema_py_generated as schema

layers = tf.keras.layers
OPERATORS = {value: name for name, value in vars(schema.BuiltinOperator).items() if name.isupper()}
TYPES = {value: name for name, value in vars(schema.TensorType).items() if name.isupper()}
SAMPLES = 4


def dense(x):
    x = layers.Dense(12, activation="relu")(x)
    return layers.Dense(5, activation="softmax")(x)


def conv(x):
    x = layers.Conv2D(6, 3, activation="relu6", padding="same")(x)
    x = layers.DepthwiseConv2D(3, strides=2)(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    return layers.Dense(3, activation="sigmoid")(x)


def residual(x):
    a = layers.Conv2D(4, 3, padding="same")(x)
    b = layers.Conv2D(4, 1, use_bias=False)(a)
    c = layers.Add()([a, b])
    c = layers.ReLU()(c)
    d = layers.Multiply()([c, a])
    d = layers.Subtract()([d, b])
    return layers.GlobalAveragePooling2D()(d)


def concat(x):
    a = layers.Conv2D(3, 1)(x)
    b = layers.Conv2D(2, 3, padding="same", activation="tanh")(x)
    c = layers.AveragePooling2D(2)(layers.Concatenate()([a, b]))
    c = layers.ZeroPadding2D(1)(c)
    return layers.Reshape((-1, 5))(c)


def transposed(x):
    x = layers.Conv2DTranspose(3, 3, strides=2, padding="same")(x)
    x = layers.UpSampling2D(2, interpolation="bilinear")(x)
    x = layers.LeakyReLU()(x)
    return layers.Conv2D(2, 1)(x)


def norms(x):
    a = layers.Permute((2, 1, 3))(x)
    b = layers.Lambda(lambda v: v * 0.7 + tf.constant([0.1, -0.2, 0.3]))(a)
    c = layers.Lambda(lambda v: v * tf.nn.relu6(v + 3.0) / 6.0)(b)
    part = layers.Lambda(lambda v: v[:, 1:5])(c)
    d = layers.Concatenate(axis=1)([part, layers.Cropping2D(((0, 4), (0, 0)))(a)])
    return layers.Lambda(lambda v: tf.reduce_mean(v, axis=(1, 2)))(d)


def attention(x):
    x = layers.Reshape((16, 12))(x)
    q = layers.Dense(8)(x)
    k = layers.Dense(8)(x)
    s = layers.Softmax()(layers.Dot(2)([q, k]))
    x = layers.Add()([layers.Dot((2, 1))([s, x]), x])
    x = layers.LayerNormalization()(x)
    return layers.Dense(4, activation="gelu")(x)


def recurrent(x):
    x = layers.Reshape((3, 64))(x)
    # With its steps one after the other: the converter ends without a word at the WHILE of the other form.
    return layers.Dense(3)(layers.LSTM(6, unroll=True)(x))


def choices(x):
    a = layers.Conv2D(4, 1)(x)
    b = layers.Permute((2, 1, 3))(a)
    c = layers.Lambda(lambda v: tf.stack([tf.maximum(v[0], v[1]), tf.minimum(v[0], v[1])], axis=1))([a, b])
    c = layers.Lambda(lambda v: tf.gather(tf.reduce_max(v, axis=1), [3, 0, 2], axis=3))(c)
    c = layers.Lambda(lambda v: tf.image.resize(v, (16, 16), method="nearest"))(c)
    c = layers.Lambda(lambda v: tf.pad(v, [[0, 0], [1, 1], [0, 0], [0, 0]], mode="REFLECT"))(c)
    c = layers.Lambda(lambda v: tf.abs(tf.slice(v, [0, 2, 1, 0], [1, 6, 5, 3]) * [0.3, -0.8, 1.1] + 0.25))(c)
    return layers.Lambda(lambda v: tf.squeeze(tf.reduce_min(v, axis=1, keepdims=True), axis=1))(c)


def functions(x):
    x = layers.Conv2D(4, 1)(x)
    x = layers.Lambda(lambda v: tf.math.log(tf.sqrt(tf.exp(v))))(x)
    x = layers.Lambda(lambda v: tf.reverse(v, [1]))(x)
    return layers.Lambda(lambda v: tf.reduce_sum(tf.reduce_prod(v, axis=3), axis=1))(x)


MODELS = [dense, conv, residual, concat, transposed, norms, attention, recurrent, choices, functions]


def build(make):
    tf.keras.utils.set_random_seed(7)
    shape = (20,) if make is dense else (8, 8, 3)
    source = tf.keras.Input(shape, batch_size=1)
    model = tf.keras.Model(source, make(source))
    rng = np.random.default_rng(3)
    for variable in model.trainable_variables:
        variable.assign(rng.standard_normal(variable.shape).astype(np.float32) * 0.5)
    samples = rng.standard_normal((SAMPLES, 1, *shape)).astype(np.float32)
    return model, samples


def convert(model, samples=None, sets=()):
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if samples is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([sample] for sample in samples)
        if sets:
            converter.target_spec.supported_ops = list(sets)
    return converter.convert()


def convert_wide(model, samples):
    """The file on int16 activations, and why the converter makes none without operators in float."""
    sets = tf.lite.OpsSet
    wide = sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    try:
        return convert(model, samples, [wide]), None
    except RuntimeError as error:
        return convert(model, samples, [wide, sets.TFLITE_BUILTINS]), str(error).strip()


def described(content):
    model = schema.ModelT.InitFromPackedBuf(content)
    graph = model.subgraphs[0]
    tensors = []
    for tensor in graph.tensors:
        data = model.buffers[tensor.buffer].data
        q = tensor.quantization
        entry = {"type": TYPES[tensor.type]}
        if q is not None and q.scale is not None:
            zeros = {int(zero) for zero in q.zeroPoint}
            assert len(zeros) == 1, "per channel all are 0"
            entry |= {"scale": encoded(np.asarray(q.scale, np.float32)), "zeroPoint": zeros.pop()}
        if data is not None and len(data):
            entry["codes"] = base64.b64encode(bytes(data)).decode()
        tensors.append(entry)
    operators = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        operators.append({
            "op": OPERATORS[max(code.builtinCode, code.deprecatedBuiltinCode)],
            "inputs": [int(n) for n in operator.inputs],
            "outputs": [int(n) for n in operator.outputs],
        })
    return {"tensors": tensors, "operators": operators}


def run(content, sample, xnnpack=True):
    kind = tf.lite.experimental.OpResolverType
    interpreter = tf.lite.Interpreter(
        model_content=content,
        num_threads=1,
        experimental_op_resolver_type=kind.AUTO if xnnpack else kind.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    given, made = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.set_tensor(given["index"], sample)
    interpreter.invoke()
    return interpreter.get_tensor(made["index"])


def answered(content, sample):
    try:
        return {"output": encoded(run(content, sample))}
    except RuntimeError as error:
        return {"fails": str(error).strip()}


def main():
    models = []
    for make in MODELS:
        model, samples = build(make)
        plain = convert(model)
        narrow = convert(model, samples)
        wide, refused = convert_wide(model, samples)
        if len(sys.argv) > 1:
            for name, content in (("float", plain), ("int8", narrow), ("int16", wide)):
                with open(os.path.join(sys.argv[1], f"{make.__name__}.{name}.tflite"), "wb") as file:
                    file.write(content)
            np.savez(os.path.join(sys.argv[1], f"{make.__name__}.npz"), *samples)
        models.append({
            "name": make.__name__,
            "float": base64.b64encode(plain).decode(),
            "samples": [encoded(sample) for sample in samples],
            "shape": list(samples[0].shape),
            "narrow": described(narrow) | answered(narrow, samples[0]),
            "wide": described(wide) | answered(wide, samples[0]) | ({} if refused is None else {"refused": refused}),
        })
    write("litert_static.json", f"tensorflow {tf.__version__}", {"models": models})


if __name__ == "__main__":
    main()
