"""Runs full integer LiteRT exports in tf.lite.Interpreter beside the converter's own files.

    npm run build && python test/reference/check_litert_static.py   (tensorflow-cpu 2.21.0)

Takes the Keras models and samples of litert_static.py. Each export, on int8 and on int16 activations, has to load with
LiteRT's default delegate (XNNPACK) and with the plain built-in kernels, and to answer every sample within one step of
the output of what the converter's file answers, or all of them about as near to the float model as that does (1.5 times
its squared error). Where the converter's file does not run, both figures are told. Prints a table, and fails when one
does not hold.
"""

import pathlib
import subprocess
import sys
import tempfile

import litert_static
import numpy as np
import tensorflow as tf

CLI = str(pathlib.Path(__file__).parents[2] / "dist/cli.js")
PRESETS = {"int8": "litert-full-integer", "int16": "litert-16x8"}


def export(source, samples, preset, folder):
    """The export's bytes, or why there is none."""
    (folder / "source.tflite").write_bytes(source)
    calibration = pathlib.Path(tempfile.mkdtemp(dir=folder))
    for at, sample in enumerate(samples):
        np.save(calibration / f"{at}.npy", sample)
    out = folder / "out.tflite"
    command = ["node", CLI, "export", folder / "source.tflite", "--recipe", preset, "--mode", "static", "--calibrate", calibration, "--out", out]
    done = subprocess.run(command, capture_output=True, text=True)
    return (out.read_bytes(), None) if done.returncode == 0 else (None, done.stderr.strip())


def step_of(content):
    """The scale of the codes that the last DEQUANTIZE restores."""
    interpreter = tf.lite.Interpreter(model_content=content)
    last = interpreter._get_ops_details()[-1]
    scales = {each["index"]: each["quantization"][0] for each in interpreter.get_tensor_details()}
    return scales[last["inputs"][0]]


def answers(content, samples, xnnpack):
    return np.stack([litert_static.run(content, sample, xnnpack) for sample in samples])


def compared(own, theirs, exact, step):
    """A table's cell, and whether the export is as near as it has to be."""
    steps = np.abs(own - theirs).max() / step
    noise, least = (np.sum((each - exact) ** 2) for each in (own, theirs))
    figures = [f"{10 * np.log10(np.sum(exact**2) / each):.1f}" for each in (noise, least)]
    return f"{steps:.2f} steps, {figures[0]} dB; there {figures[1]} dB", steps < 1.001 or noise < 1.5 * least


def check(source, theirs, own, samples):
    """The table's cells, and whether all holds."""
    exact = answers(source, samples, False)
    cells, holds = [], True
    for xnnpack in (True, False):
        given = answers(own, samples, xnnpack)
        try:
            cell, near = compared(given, answers(theirs, samples, xnnpack), exact, step_of(theirs))
        except RuntimeError as error:
            figure = 10 * np.log10(np.sum(exact**2) / np.sum((given - exact) ** 2))
            cell, near = f"{figure:.1f} dB; there: {str(error).strip()}", True
        cells.append(cell)
        holds = holds and bool(near)
    return cells, holds


def main():
    folder = pathlib.Path(tempfile.mkdtemp())
    failed = 0
    print("| model | activations | XNNPACK | built-in kernels |\n|---|---|---|---|")
    for make in litert_static.MODELS:
        model, samples = litert_static.build(make)
        source = litert_static.convert(model)
        files = {"int8": litert_static.convert(model, samples), "int16": litert_static.convert_wide(model, samples)[0]}
        for activations, preset in PRESETS.items():
            own, why = export(source, samples, preset, folder)
            cells, holds = ([why], True) if own is None else check(source, files[activations], own, samples)
            failed += not holds
            print(f"| {make.__name__} | {activations} | {' | '.join(cells)} |{'' if holds else ' <- farther'}", flush=True)
    print(f"\n{failed} failed")
    sys.exit(1 if failed else 0)


main()
