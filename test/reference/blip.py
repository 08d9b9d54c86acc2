"""BLIP with random weights, as transformers makes it: what its checkpoint holds, and what Hugging Face says it weighs.

    blip.py            writes blip.json
    blip.py FOLDER     writes the checkpoints too: FOLDER/tied, FOLDER/untied, and FOLDER/sharded of five shards

transformers 5.17.0, accelerate 1.15.0, torch 2.13.0.
"""

import sys
from pathlib import Path

import torch
import transformers
from accelerate.utils import calculate_maximum_sizes
from safetensors import safe_open
from transformers import BlipConfig, BlipForConditionalGeneration

from golden import write


def model(tied):
    torch.manual_seed(0)
    config = BlipConfig(tie_word_embeddings=tied)
    config.text_config.tie_word_embeddings = tied
    made = BlipForConditionalGeneration(config)
    head = made.text_decoder.cls.predictions
    # The decoder's weight of its own, its bias that of the head, as the checkpoint was made in the course.
    head.decoder.bias = head.bias
    return made


def stored(folder):
    """The tensors of a checkpoint: element type and shape by name."""
    tensors = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as opened:
            for name in opened.keys():
                part = opened.get_slice(name)
                tensors[name] = f"{part.get_dtype()} {'x'.join(map(str, part.get_shape()))}"
    return tensors


def facts(tied, folder):
    made = model(tied)
    made.save_pretrained(folder)
    if tied:
        made.save_pretrained(folder.parent / "sharded", max_shard_size="200MB")
    result = {
        "memoryFootprint": made.get_memory_footprint(),
        # Buffers that are not persistent are in no file: text position ids, int64.
        "parametersOnly": made.get_memory_footprint(return_buffers=False),
        "parameters": made.num_parameters(),
        "accelerateFloat32": calculate_maximum_sizes(made)[0],
        "tensors": stored(folder),
    }
    made = made.to(torch.bfloat16)
    result["memoryFootprintBfloat16"] = made.get_memory_footprint()
    result["parametersOnlyBfloat16"] = made.get_memory_footprint(return_buffers=False)
    return result


def main(folder):
    content = {name: facts(name == "tied", folder / name) for name in ("tied", "untied")}
    write("blip.json", f"transformers {transformers.__version__}, torch {torch.__version__}", content)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        import tempfile

        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
