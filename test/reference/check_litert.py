"""Runs every LiteRT export in tf.lite.Interpreter beside its source, on seeded inputs.

    npm run build && python test/reference/check_litert.py [file.tflite ...]   (tensorflow-cpu 2.21.0)

Without arguments the MediaPipe models of the dev dependencies, the converter's models of the golden, and
single operators. An
export has to load with LiteRT's default delegate (XNNPACK) and with the plain built-in kernels, and to
be no larger than its source. A graph with an operator that the interpreter does not have is cut before
it, source and export alike, at the tensors that it takes. Prints a table, fails when an export does not run.
"""

import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import flatbuffers
import litert_kernels
import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

ROOT = pathlib.Path(__file__).parents[2]
CLI = str(ROOT / "dist/cli.js")
RUNS = [
    ("qdq", "int8"),
    ("qdq", "litert-dynamic"),
    ("qdq", "uint8"),
    ("qdq", "int16"),
    ("qdq", "litert-int4"),
    ("qdq", {"dtype": "int4", "granularity": "channel"}),
    ("qdq", {"dtype": "int4", "granularity": "tensor"}),
    ("qdq", "q7"),
    ("qdq", "float16"),
    ("float", "float16"),
    ("float", "bfloat16"),
    ("dynamic", "litert-dynamic"),
    ("dynamic", "int8-tensor"),
    ("dynamic", "litert-int4"),
    ("qdq", {"dtype": "int16", "granularity": "tensor"}),
    ("qdq", {"dtype": "uint8", "granularity": "channel", "symmetric": False}),
    ("qdq", {"dtype": "int8", "granularity": "channel", "symmetric": False}),
    ("qdq", {"dtype": "int4", "granularity": "channel", "symmetric": False}),
]
KERNELS = {
    "xnnpack": tf.lite.experimental.OpResolverType.AUTO,
    "built-in": tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
}


def models(folder):
    files = sorted((ROOT / "node_modules/@mediapipe").glob("*/*.tflite"))
    named = {file.stem: file for file in files}
    golden = json.loads((ROOT / "test/fixtures/goldens/litert_models.json").read_text())
    for model in golden["models"]:
        file = folder / f"{model['name']}.tflite"
        file.write_bytes(base64.b64decode(model["float"]))
        named[model["name"]] = file
    for name, content in litert_kernels.make():
        file = folder / f"one_{name}.tflite"
        file.write_bytes(content)
        named[file.stem] = file
    return named


def names_of(model):
    numbers = {value: key for key, value in vars(schema.BuiltinOperator).items() if key.isupper()}
    return [
        (code.customCode or b"").decode() or numbers[max(code.builtinCode, code.deprecatedBuiltinCode)]
        for code in model.operatorCodes
    ]


def without_custom(content):
    """The model up to the first operator that the interpreter does not have, with what it takes as outputs."""
    model = schema.ModelT.InitFromPackedBuf(content)
    custom = {
        index
        for index, code in enumerate(model.operatorCodes)
        if max(code.builtinCode, code.deprecatedBuiltinCode) == schema.BuiltinOperator.CUSTOM
    }
    graph = model.subgraphs[0]
    first = next((at for at, operator in enumerate(graph.operators) if operator.opcodeIndex in custom), None)
    if first is None:
        return content, None
    name = names_of(model)[graph.operators[first].opcodeIndex]
    made = {int(tensor) for operator in graph.operators[:first] for tensor in operator.outputs}
    graph.outputs = [int(tensor) for tensor in graph.operators[first].inputs if int(tensor) in made][:1]
    graph.operators = graph.operators[:first]
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output()), name


def run(content, kernels, seed=0):
    interpreter = tf.lite.Interpreter(
        model_content=content, experimental_op_resolver_type=KERNELS[kernels], num_threads=1
    )
    interpreter.allocate_tensors()
    random = np.random.default_rng(seed)
    for detail in interpreter.get_input_details():
        shape = detail["shape"]
        # Images and features from -1 to 1; indices that every table has.
        values = random.uniform(-1, 1, shape) if detail["dtype"] == np.float32 else random.integers(0, 10, shape)
        interpreter.set_tensor(detail["index"], values.astype(detail["dtype"]))
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def sqnr(source, export):
    signal = sum(float(np.sum(np.square(a.astype(np.float64)))) for a in source)
    noise = sum(float(np.sum(np.square(a.astype(np.float64) - b))) for a, b in zip(source, export))
    return "exact" if noise == 0 else f"{10 * np.log10(signal / noise):.1f}" if signal > 0 else "-"


def recipe_file(folder, scheme):
    name = f"{scheme['dtype']}-{scheme['granularity']}{'' if scheme.get('symmetric', True) else '-asymmetric'}"
    file = folder / f"{name}.json"
    default = {"symmetric": True, "range": "minmax", **scheme}
    file.write_text(json.dumps({"version": 1, "name": name, "default": default, "minElements": 1024}))
    return name, str(file)


def main():
    folder = pathlib.Path(tempfile.mkdtemp())
    files = {pathlib.Path(file).stem: pathlib.Path(file) for file in sys.argv[1:]} or models(folder)
    out = folder / "out.tflite"
    failed = ran = 0
    print("| model | mode | recipe | size | quantized | SQNR dB, XNNPACK | SQNR dB, built-in kernels |")
    print("|---|---|---|---|---|---|---|")
    for name, file in files.items():
        source, custom = without_custom(file.read_bytes())
        answers = {kernels: run(source, kernels) for kernels in KERNELS}
        for mode, recipe in RUNS:
            label, argument = (recipe, recipe) if isinstance(recipe, str) else recipe_file(folder, recipe)
            command = ["node", CLI, "export", str(file), "--recipe", argument, "--mode", mode, "--out", str(out), "--json"]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                failed += 1
                print(f"| {name} | {mode} | {label} | {done.stderr.strip()} | | | |")
                continue
            made = json.loads(done.stdout)
            content, _ = without_custom(out.read_bytes())
            results = []
            for kernels in KERNELS:
                ran += 1
                try:
                    results.append(sqnr(answers[kernels], run(content, kernels)))
                except Exception as error:  # each is printed, and the count fails the script
                    failed += 1
                    results.append(str(error).replace("\n", " ")[:140])
            ratio = made["bytesAfter"] / made["bytesBefore"]
            failed += ratio > 1
            print(f"| {name} | {mode} | {label} | {ratio:.3f} | {made['quantized']} | {results[0]} | {results[1]} |", flush=True)
        if custom is not None:
            print(f"| {name} | | | cut before {custom}, which tf.lite does not have | | | |")
    print(f"\n{ran} runs, {failed} failed")
    sys.exit(1 if failed else 0)


main()
