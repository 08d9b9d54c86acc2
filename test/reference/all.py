"""Makes every golden file again: those whose reference is installed here."""

import runpy
from pathlib import Path

GOLDENS = (
    "affine",
    "answers",
    "blip",
    "blocks",
    "casts",
    "dot",
    "entropy",
    "equalize",
    "fixed",
    "float8",
    "gptq",
    "layer_errors",
    "litert_models",
    "litert_runs",
    "litert_static",
    "litert_weights",
    "number_formats",
    "number_values",
    "percentile",
    "static",
    "vocabulary",
)

if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    for name in GOLDENS:
        try:
            runpy.run_path(str(here / f"{name}.py"), run_name="__main__")
        except ModuleNotFoundError as error:
            print(f"{name}: skipped, {error.name} is not installed")
