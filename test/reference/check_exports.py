"""Holds every export of the real models against onnx.checker, shape inference included.

    npm run build && python test/reference/check_exports.py   (onnx 1.23.1)
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import onnx

ROOT = pathlib.Path(__file__).parents[2]
MODELS = json.loads((ROOT / "test/reference/real-models.json").read_text())
RECIPES = json.loads(
    subprocess.run(
        ["node", str(ROOT / "dist/cli.js"), "recipes", "--json"], capture_output=True, check=True
    ).stdout
)
MODES = ["qdq", "dynamic", "float", "float16", "nbits"]


def main():
    out = str(pathlib.Path(tempfile.mkdtemp()) / "out.onnx")
    failed = checked = 0
    for name, file in MODELS.items():
        for recipe in RECIPES:
            for mode in MODES:
                command = ["node", str(ROOT / "dist/cli.js"), "export", str(ROOT / file)]
                command += ["--recipe", recipe["name"], "--mode", mode, "--out", out]
                subprocess.run(command, check=True, capture_output=True)
                checked += 1
                try:
                    onnx.checker.check_model(out, full_check=True)
                except Exception as error:  # each is printed, and the count fails the script
                    failed += 1
                    print(f"{name}, {mode} {recipe['name']}: {error}")
    print(f"{checked - failed} of {checked} exports pass onnx.checker with shape inference")
    sys.exit(1 if failed else 0)


main()
