"""What onnxruntime's own quantize_dynamic makes of the real models, for npm run accept:onnx.

Quantizes each model with its defaults (int8, per tensor), and has the built command line verify
the result on the same seeded inputs as ours. Writes test/reference/quantize-dynamic.json.

    npm run build && python test/reference/quantize_dynamic.py   (onnxruntime 1.30)
"""

import json
import os
import pathlib
import subprocess
import tempfile

import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic

ROOT = pathlib.Path(__file__).parents[2]
MODELS = json.loads((ROOT / "test/reference/real-models.json").read_text())


def figures(source, target):
    command = ["node", str(ROOT / "dist/cli.js"), "verify", str(source), target, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return {"error": "does not load: " + done.stderr.split("found ")[-1].strip()[:120]}
    result = json.loads(done.stdout)
    return {
        "ratio": os.path.getsize(target) / os.path.getsize(source),
        "outputs": {
            output["name"]: {"sqnrDb": output["sqnrDb"], "cosine": output["cosine"]}
            for output in result["outputs"]
        },
    }


def main():
    table = {"onnxruntime": onnxruntime.__version__, "models": {}}
    for name, file in MODELS.items():
        source = ROOT / file
        target = os.path.join(tempfile.mkdtemp(), "quantized.onnx")
        try:
            quantize_dynamic(source, target, weight_type=QuantType.QInt8)
        except Exception as error:  # what it raises is the figure
            table["models"][name] = {"error": f"raises {type(error).__name__}: {error}"[:160]}
            continue
        table["models"][name] = figures(source, target)
    out = ROOT / "test/reference/quantize-dynamic.json"
    # 1e999 is what JSON has for infinity.
    out.write_text(json.dumps(table, indent=2).replace("Infinity", "1e999") + "\n")
    for name, row in table["models"].items():
        print(name, row)


main()
