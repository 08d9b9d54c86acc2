"""Table of docs/accuracy.md: LiteRT exports of MediaPipe's models on pictures, run by tf.lite.Interpreter and by the app.

Usage: python test/reference/litert_table.py PICTURES OUT [PACKAGES [MODEL...]], after node build/build.mjs. PICTURES is a folder of
photographs, such as skimage/data of scikit-image 0.26. Each gives two crops: one is calibrated on, one measured on. PACKAGES
is a folder where npm install --ignore-scripts has put the packages of MORE. Needs tensorflow-cpu and Pillow.
"""

import json
import os
import re
import pathlib
import subprocess
import sys
import time

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
MORE = {
    "hands/hand_landmark_lite": (0, 1),
    "hands/hand_landmark_full": (0, 1),
    "hands/palm_detection_full": (0, 1),
    "face_mesh/face_landmark": (0, 1),
    "pose/pose_landmark_lite": (0, 1),
    "pose/pose_landmark_full": (0, 1),
    "objectron/object_detection_3d_cup": (0, 1),
}
MODES = [("dynamic", "litert-dynamic"), ("static", "litert-full-integer"), ("static", "litert-16x8")]
# Runs that are timed, and those before them.
TIMED, WARM = 11, 3
PHOTOGRAPHS = ["astronaut.png", "camera.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png"]
KIND = tf.lite.experimental.OpResolverType


def crops(folder, size, low, high):
    rng = np.random.default_rng(5)
    for name in PHOTOGRAPHS:
        picture = Image.open(folder / name).convert("RGB")
        for _ in range(2):
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
        10 * np.log10(sum((a**2).sum() for a, _ in output) / max(1e-30, sum(((a - b) ** 2).sum() for a, b in output)))
        for output in zip(*pairs)
    ]


def shown(values):
    """SQNRs of a few outputs one by one, of more the least and the most."""
    if len(values) <= 2:
        return " / ".join(f"{value:.1f}" for value in values) + " dB"
    return f"{min(values):.1f} to {max(values):.1f} dB"


def times(runners, sample):
    """The median processor time of one run of each, in turns."""
    spent = [[] for _ in runners]
    for at in range(WARM + TIMED):
        for own, run in zip(spent, runners):
            start = time.thread_time()
            run(sample)
            if at >= WARM:
                own.append(time.thread_time() - start)
    return [1000 * float(np.median(own)) for own in spent]


def located(model, packages, out):
    """The file of a model; out of the package's archive where it is in that."""
    folder, name = model.split("/")
    package = packages / folder
    if (package / f"{name}.tflite").exists():
        return package / f"{name}.tflite"
    loader = (package / f"{folder}_solution_packed_assets_loader.js").read_text()
    files = json.loads(re.search(r'"files":\s*(\[.*?\])', loader).group(1))
    [entry] = [each for each in files if each["filename"].endswith(f"/{name}.tflite")]
    content = (package / f"{folder}_solution_packed_assets.data").read_bytes()[entry["start"] : entry["end"]]
    target = out / f"{name}.tflite"
    target.write_bytes(content)
    return target


def in_python(file, target, measured):
    """SQNR and time with XNNPACK, and SQNR without; the reason where it does not run."""
    original = Runner(file)
    exact = [original(sample) for sample in measured]
    cells = []
    for xnnpack in (True, False):
        try:
            run = Runner(target, xnnpack)
            cells.append(shown(sqnr(exact, [run(sample) for sample in measured])))
            if xnnpack:
                before, after = times([original, run], measured[0])
                cells.append(f"{before:.1f} to {after:.1f} ms")
        except (RuntimeError, ValueError) as error:
            cells.append(f"no: {str(error).splitlines()[0][:80]}")
    return cells


def in_app(file, target, evaluation):
    command = ["node", ROOT / "dist/cli.js", "verify", file, target, "--inputs", evaluation, "--json"]
    result = subprocess.run(command, capture_output=True, text=True)
    try:
        found = json.loads(result.stdout)
    except json.JSONDecodeError:
        return [f"no: {result.stderr[:120]}", ""]
    if "outputs" not in found:
        return [f"no: {found['error']['message'][:80]}", ""]
    values = [each["sqnrDb"] for each in sorted(found["outputs"], key=lambda each: each["name"])]
    return [shown([float(value) for value in values]), f"{found['msBefore']:.1f} to {found['msAfter']:.1f} ms"]


def rows(file, low, high, pictures, out):
    # A custom operator runs in XNNPACK alone.
    _, height, width, _ = Runner(file).interpreter.get_input_details()[0]["shape"]
    samples = list(crops(pictures, (width, height), low, high))
    folders = [out / file.stem / part for part in ("calibration", "evaluation")]
    for folder, part in zip(folders, (samples[0::2], samples[1::2])):
        folder.mkdir(parents=True, exist_ok=True)
        for at, sample in enumerate(part):
            np.save(folder / f"{at}.npy", sample)
    ranges = out / file.stem / "ranges.json"
    command = ["node", ROOT / "dist/cli.js", "calibrate", file, "--inputs", folders[0], "--out", ranges]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    for mode, recipe in MODES:
        target = out / f"{file.stem}.{recipe}.tflite"
        command = ["node", ROOT / "dist/cli.js", "export", file, "--recipe", recipe, "--mode", mode, "--out", target, "--json"]
        extra = ["--ranges", ranges] if mode == "static" else []
        done = subprocess.run([*command, *extra], check=True, capture_output=True, text=True)
        arena = json.loads(done.stdout).get("arena")
        memory = "" if arena is None else f"{arena['before'] / 1e6:.2f} to {arena['after'] / 1e6:.2f} MB"
        size = target.stat().st_size
        cells = [file.stem, f"`{recipe}`", f"{size / 1e6:.2f} MB", f"{size / file.stat().st_size:.2f}", memory]
        yield f"| {' | '.join([*cells, *in_python(file, target, samples[1::2]), *in_app(file, target, folders[1])])} |"


def main():
    pictures, out = map(pathlib.Path, sys.argv[1:3])
    out.mkdir(parents=True, exist_ok=True)
    packages = pathlib.Path(sys.argv[3]) / "node_modules" / "@mediapipe" if len(sys.argv) > 3 else None
    everything = [(MEDIAPIPE, each) for each in MODELS.items()] + [(packages, each) for each in MORE.items() if packages]
    for folder, (model, (low, high)) in everything:
        if len(sys.argv) > 4 and model.split("/")[1] not in sys.argv[4:]:
            continue
        for row in rows(located(model, folder, out), low, high, pictures, out):
            print(row, flush=True)


if __name__ == "__main__":
    main()
