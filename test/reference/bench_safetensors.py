"""Time and memory of casting a checkpoint to bfloat16: quantscope against torch, in one run.

    python test/reference/blip.py FOLDER
    npm run build && python test/reference/bench_safetensors.py FOLDER/tied

Each run is a process of its own, as a person's is. torch loads, casts and saves, its import and the
flushing to the disk not counted; of quantscope all is counted, its start and its flushing too.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

import torch
from safetensors.torch import load_file, save_file

ROOT = pathlib.Path(__file__).parents[2]
RUNS = 5


def cast(source, target):
    start = time.perf_counter()
    tensors = load_file(source)
    tensors = {name: tensor.to(torch.bfloat16) for name, tensor in tensors.items()}
    save_file(tensors, target, {"format": "pt"})
    print(time.perf_counter() - start)


def with_torch(source, target):
    command = [sys.executable, __file__, "--cast", source, target]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def measured(command):
    """Seconds and peak MiB of a command. A small process starts it: Linux counts the starter's peak as its own."""
    script = (
        "import os, subprocess, sys, time; start = time.perf_counter(); p = subprocess.Popen(sys.argv[1:], stdout=2);"
        "_, status, usage = os.wait4(p.pid, 0); print(status, time.perf_counter() - start, usage.ru_maxrss / 1024)"
    )
    out = subprocess.run([sys.executable, "-c", script, *command], capture_output=True, text=True, check=True)
    status, seconds, peak = out.stdout.split()
    assert status == "0", out.stderr
    return float(seconds), float(peak)


def with_quantscope(source, target):
    cli = str(ROOT / "dist/cli.js")
    return measured(["node", cli, "export", source, "--recipe", "bfloat16", "--mode", "cast", "--out", target])


def main(folder):
    source = str(pathlib.Path(folder) / "model.safetensors")
    with tempfile.TemporaryDirectory() as temporary:
        target = str(pathlib.Path(temporary) / "out.safetensors")
        peers, ours = [], []
        for _ in range(RUNS):
            for task, times in ((with_torch, peers), (with_quantscope, ours)):
                os.sync()
                times.append(task(source, target))
                os.remove(target)
    torch_time = sorted(peers)[RUNS // 2]
    time_taken = sorted(seconds for seconds, _ in ours)[RUNS // 2]
    peak = max(mebibytes for _, mebibytes in ours)
    megabytes = os.path.getsize(source) / 1e6
    print(f"{megabytes:.0f} MB to bfloat16: quantscope {time_taken:.2f} s, at most {peak:.0f} MiB resident; torch {torch_time:.2f} s")
    print(f"medians of {RUNS}; quantscope {sorted(s for s, _ in ours)}, torch {sorted(peers)}")


if sys.argv[1] == "--cast":
    cast(*sys.argv[2:])
else:
    main(sys.argv[1])
