"""Makes every golden file again."""

import runpy
from pathlib import Path

if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    for name in ("affine", "blocks", "casts", "entropy", "fixed", "float8", "percentile"):
        runpy.run_path(str(here / f"{name}.py"), run_name="__main__")
