"""Table of docs/accuracy.md: LiteRT exports of MediaPipe's models on pictures, run by tf.lite.Interpreter.

Usage: python test/reference/litert_table.py PICTURES OUT, after node build/build.mjs. PICTURES is a folder of photographs, such as
skimage/data of scikit-image 0.26. Each gives six crops: three are calibrated on, three measured on. Needs tensorflow-cpu and Pillow.
"""

import os
import pathlib
import subprocess
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MEDIAPIPE = ROOT / "node_modules" / "@mediapipe"
# The model, and the values that black and white become.
MODELS = {
    "selfie_segmentation/selfie_segmentation": (0, 1),
    "selfie_segmentation/selfie_segmentation_landscape": (0, 1),
    "face_detection/face_detection_short_range": (-1, 1),
    "face_detection/face_detection_full_range": (-1, 1),
}
MODES = [("dynamic", "litert-dynamic"), ("static", "litert-full-integer"), ("static", "litert-16x8")]
PHOTOGRAPHS = ["astronaut.png", "camera.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png"]
KIND = tf.lite.experimental.OpResolverType


def crops(folder, size, low, high):
    rng = np.random.default_rng(5)
    for name in PHOTOGRAPHS:
        picture = Image.open(folder / name).convert("RGB")
        for _ in range(6):
            side = int(min(picture.size) * rng.uniform(0.5, 1))
            left, top = (int(rng.uniform(0, whole - side)) for whole in picture.size)
            part = picture.crop((left, top, left + side, top + side)).resize(size, Image.Resampling.BILINEAR)
            yield (np.asarray(part, np.float32) / 255 * (high - low) + low)[None]


class Runner:
    def __init__(self, file, xnnpack=True):
        kind = KIND.AUTO if xnnpack else KIND.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        self.interpreter = tf.lite.Interpreter(model_path=str(file), num_threads=1, experimental_op_resolver_type=kind)
        self.interpreter.allocate_tensors()

    def __call__(self, sample):
        self.interpreter.set_tensor(self.interpreter.get_input_details()[0]["index"], sample)
        self.interpreter.invoke()
        outputs = sorted(self.interpreter.get_output_details(), key=lambda each: each["name"])
        return [self.interpreter.get_tensor(each["index"]).copy() for each in outputs]


def sqnr(exact, found):
    pairs = [list(zip(*pair)) for pair in zip(exact, found)]
    return [
        10 * np.log10(sum((a**2).sum() for a, _ in output) / sum(((a - b) ** 2).sum() for a, b in output))
        for output in zip(*pairs)
    ]


def rows(model, low, high, pictures, out):
    file = MEDIAPIPE / f"{model}.tflite"
    # A custom operator runs in XNNPACK alone.
    runner = Runner(file)
    _, height, width, _ = runner.interpreter.get_input_details()[0]["shape"]
    samples = list(crops(pictures, (width, height), low, high))
    folder = out / file.stem
    folder.mkdir(parents=True, exist_ok=True)
    for at, sample in enumerate(samples[0::2]):
        np.save(folder / f"{at}.npy", sample)
    exact = [runner(sample) for sample in samples[1::2]]
    for mode, recipe in MODES:
        target = out / f"{file.stem}.{recipe}.tflite"
        command = ["node", ROOT / "dist/cli.js", "export", file, "--recipe", recipe, "--mode", mode, "--out", target]
        extra = ["--calibrate", folder] if mode == "static" else []
        subprocess.run([*command, *extra], check=True, stdout=subprocess.DEVNULL)
        results = []
        for xnnpack in (True, False):
            try:
                run = Runner(target, xnnpack)
                values = sqnr(exact, [run(sample) for sample in samples[1::2]])
                results.append(" / ".join(f"{value:.1f}" for value in values) + " dB")
            except (RuntimeError, ValueError) as error:
                results.append(f"no: {str(error).splitlines()[0][:80]}")
        size = target.stat().st_size
        yield f"| {file.stem} | `{recipe}` | {size / 1e6:.2f} MB | {size / file.stat().st_size:.2f} | {' | '.join(results)} |"


def main():
    pictures, out = map(pathlib.Path, sys.argv[1:3])
    for model, (low, high) in MODELS.items():
        for row in rows(model, low, high, pictures, out):
            print(row, flush=True)


if __name__ == "__main__":
    main()
