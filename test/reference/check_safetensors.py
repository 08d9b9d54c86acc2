"""Holds exports of a BLIP checkpoint against the safetensors package, transformers and numpy, and prints a table.

    python test/reference/blip.py FOLDER
    npm run build && python test/reference/check_safetensors.py FOLDER

Casts load with from_pretrained, their values are torch's; codes times scales are the weight within half
a step, and the codes are numpy's for the same scales. Every export of a sharded set is loaded by its index.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import torch
from safetensors import safe_open
from transformers import BlipForConditionalGeneration

ROOT = pathlib.Path(__file__).parents[2]
CASTS = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float8": torch.float8_e4m3fn}
FLOAT8 = {
    "version": 1,
    "name": "float8",
    "default": {"dtype": "float8_e4m3fn", "symmetric": True, "granularity": "tensor", "range": "minmax"},
}
RANGES = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "int4": (-8, 7), "uint4": (0, 15)}


def run(*args):
    command = ["node", str(ROOT / "dist/cli.js"), *map(str, args), "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def load(folder):
    """Every tensor of a folder's files, and their metadata merged."""
    tensors, metadata = {}, {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as opened:
            metadata.update(opened.metadata() or {})
            described = json.loads((opened.metadata() or {}).get("quantscope.quantization", "{}"))
            metadata.setdefault("all", {}).update(described)
            for name in opened.keys():
                tensors[name] = opened.get_tensor(name)
    return tensors, metadata


def unpack(codes, entry):
    if not entry["dtype"].endswith("4"):
        return codes.numpy().astype(np.int64)
    flat = codes.numpy().reshape(-1)
    nibbles = np.stack([flat & 15, flat >> 4], axis=1).reshape(-1).astype(np.int64)
    nibbles = nibbles[: int(np.prod(entry["shape"]))]
    if entry["dtype"] == "int4":
        nibbles = np.where(nibbles > 7, nibbles - 16, nibbles)
    return nibbles.reshape(entry["shape"])


def check_codes(weight, tensors, entry):
    """Codes are numpy's rounding of the weight by the stored scales."""
    scale = tensors[entry["scale"]].numpy()
    zeros = np.zeros(scale.shape, np.int64)
    if "zero_point" in entry:
        zeros = unpack(tensors[entry["zero_point"]], {**entry, "shape": list(scale.shape)})
    codes = unpack(tensors[entry["codes"]], entry)
    block = entry.get("block_size")
    if block is not None:
        size = weight.shape[entry["axis"]]
        scale, zeros = (np.repeat(part, block, axis=entry["axis"]).take(range(size), entry["axis"]) for part in (scale, zeros))
    low, high = RANGES[entry["dtype"]]
    expected = np.clip(np.rint(weight / scale) + zeros, low, high)
    assert np.array_equal(codes, expected), f"{entry['codes']}: codes differ"
    assert codes.shape == weight.shape


def check(source, recipe, mode, out_name):
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        wanted = recipe
        if recipe == "float8":
            wanted = folder / "float8.json"
            wanted.write_text(json.dumps(FLOAT8))
        target = folder / "export"
        target.mkdir()
        made = run("export", source, "--recipe", wanted, "--mode", mode, "--out", target / out_name)
        before, _ = load(source)
        after, metadata = load(target)
        described = metadata["all"]
        taken = {part for entry in described.values() for key, part in entry.items() if key in ("codes", "scale", "zero_point")}
        assert metadata["format"] == "pt"
        for name, weight in before.items():
            if name in described:
                check_codes(weight.numpy(), after, described[name])
            elif name in after and after[name].dtype != weight.dtype:
                assert torch.equal(after[name].view(torch.uint8), weight.to(CASTS[recipe]).view(torch.uint8)), name
            else:
                assert torch.equal(after[name], weight), name
        assert set(after) - taken == set(before) - set(described), "names differ"
        if mode == "cast":
            assert all(after[name].dtype == CASTS[recipe] for name in before)
        loads = "safetensors"
        if recipe in CASTS and recipe != "float8":
            shutil.copy(source / "config.json", target)
            model = BlipForConditionalGeneration.from_pretrained(target, dtype=CASTS[recipe])
            reference = BlipForConditionalGeneration.from_pretrained(source, dtype=CASTS[recipe])
            for (name, one), (_, two) in zip(model.state_dict().items(), reference.state_dict().items()):
                assert torch.equal(one, two), name
            loads = "safetensors, transformers"
        index = target / "model.safetensors.index.json"
        if index.exists():
            parsed = json.loads(index.read_text())
            total = sum(tensor.numel() * tensor.element_size() for tensor in after.values())
            assert parsed["metadata"]["total_size"] == total
            assert set(parsed["weight_map"]) == set(after)
        return made, loads


def main(folder):
    print("| checkpoint | mode | recipe | MB | ratio | tensors | loads in |\n|---|---|---|---|---|---|---|")
    for name in ("tied", "sharded"):
        out_name = "model.safetensors" if name == "tied" else "model.safetensors.index.json"
        for mode, recipes in (
            ("float", ("bfloat16", "float16", "float8")),
            ("cast", ("bfloat16", "float16")),
            ("qdq", ("int8", "int8-tensor", "uint8", "int16", "int4-block32", "uint4-block32")),
        ):
            for recipe in recipes:
                made, loads = check(folder / name, recipe, mode, out_name)
                ratio = made["bytesAfter"] / made["bytesBefore"]
                print(f"| {name} | {mode} | {recipe} | {made['bytesAfter'] / 1e6:.2f} | {ratio:.4f} | {made['quantized']} | {loads} |", flush=True)


main(pathlib.Path(sys.argv[1]))
