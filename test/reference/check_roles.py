"""Holds what Quantscope tells of tensors by their names and shapes against the modules that made them.

    npm run build && python test/reference/check_roles.py   (transformers 5.17.0)

Small models of many architectures with random weights are saved and inspected; each tensor of a Linear,
Conv1D, convolution, embedding or norm must be told as that, with its role and channel axis, and each model's footprint
must be Hugging Face's. Tensors of other modules are parameters of their own, about which no class says anything.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers

ROOT = pathlib.Path(__file__).parents[2]
SIZES = dict(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4)
ZOO = {
    "gpt2": (transformers.GPT2Config(n_embd=64, n_layer=2, n_head=4), transformers.GPT2LMHeadModel),
    "llama": (transformers.LlamaConfig(**SIZES, num_key_value_heads=2, vocab_size=1000), transformers.LlamaForCausalLM),
    "bert": (transformers.BertConfig(**SIZES), transformers.BertForMaskedLM),
    "roberta": (transformers.RobertaConfig(**SIZES), transformers.RobertaForSequenceClassification),
    "t5": (transformers.T5Config(d_model=64, d_ff=128, num_layers=2, num_heads=4, d_kv=16), transformers.T5ForConditionalGeneration),
    "whisper": (transformers.WhisperConfig(d_model=64, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=128, decoder_ffn_dim=128), transformers.WhisperForConditionalGeneration),
    "clip": (transformers.CLIPConfig(text_config=SIZES, vision_config=SIZES), transformers.CLIPModel),
    "vit": (transformers.ViTConfig(**SIZES), transformers.ViTForImageClassification),
    "swin": (transformers.SwinConfig(embed_dim=32, depths=[2,2], num_heads=[2,4]), transformers.SwinForImageClassification),
    "convnext": (transformers.ConvNextConfig(hidden_sizes=[16,32,64,128], depths=[1,1,1,1]), transformers.ConvNextForImageClassification),
    "resnet": (transformers.ResNetConfig(embedding_size=16, hidden_sizes=[16,32,64,128], depths=[1,1,1,1]), transformers.ResNetForImageClassification),
    "mamba": (transformers.MambaConfig(hidden_size=64, num_hidden_layers=2, vocab_size=1000), transformers.MambaForCausalLM),
    "mixtral": (transformers.MixtralConfig(**SIZES, num_key_value_heads=2, num_local_experts=4, vocab_size=1000), transformers.MixtralForCausalLM),
    "qwen2": (transformers.Qwen2Config(**SIZES, num_key_value_heads=2, vocab_size=1000), transformers.Qwen2ForCausalLM),
    "gemma": (transformers.GemmaConfig(**SIZES, num_key_value_heads=2, vocab_size=1000, head_dim=16), transformers.GemmaForCausalLM),
    "falcon": (transformers.FalconConfig(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, vocab_size=1000), transformers.FalconForCausalLM),
    "bloom": (transformers.BloomConfig(hidden_size=64, n_layer=2, n_head=4, vocab_size=1000), transformers.BloomForCausalLM),
    "opt": (transformers.OPTConfig(hidden_size=64, ffn_dim=128, num_hidden_layers=2, num_attention_heads=4, vocab_size=1000, word_embed_proj_dim=64), transformers.OPTForCausalLM),
    "neox": (transformers.GPTNeoXConfig(**SIZES, vocab_size=1000), transformers.GPTNeoXForCausalLM),
    "phi": (transformers.PhiConfig(**SIZES, vocab_size=1000), transformers.PhiForCausalLM),
    "wav2vec2": (transformers.Wav2Vec2Config(**SIZES, conv_dim=(32,32), conv_stride=(5,2), conv_kernel=(10,3)), transformers.Wav2Vec2ForCTC),
    "segformer": (transformers.SegformerConfig(hidden_sizes=[16,32,64,64], depths=[1,1,1,1], decoder_hidden_size=32), transformers.SegformerForSemanticSegmentation),
    "distilbert": (transformers.DistilBertConfig(dim=64, hidden_dim=128, n_layers=2, n_heads=4), transformers.DistilBertForMaskedLM),
    "vits": (transformers.VitsConfig(hidden_size=32, ffn_dim=64, num_hidden_layers=2, upsample_initial_channel=64), transformers.VitsModel),
    "encodec": (transformers.EncodecConfig(num_filters=8, hidden_size=32, codebook_dim=32), transformers.EncodecModel),
    "blip": (transformers.BlipConfig(text_config=SIZES, vision_config=SIZES), transformers.BlipForConditionalGeneration),
    "sam": (transformers.SamConfig(vision_config=dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, output_channels=32)), transformers.SamModel),
    "mobilenet": (transformers.MobileNetV2Config(depth_multiplier=0.35), transformers.MobileNetV2ForImageClassification),
    "deit": (transformers.DeiTConfig(**SIZES), transformers.DeiTForImageClassification),
    "electra": (transformers.ElectraConfig(**SIZES, embedding_size=32), transformers.ElectraForMaskedLM),
    "xlnet": (transformers.XLNetConfig(d_model=64, n_layer=2, n_head=4, d_inner=128), transformers.XLNetLMHeadModel),
    "gptj": (transformers.GPTJConfig(n_embd=64, n_layer=2, n_head=4, rotary_dim=16, vocab_size=1000), transformers.GPTJForCausalLM),
    "bart": (transformers.BartConfig(d_model=64, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=128, decoder_ffn_dim=128), transformers.BartForConditionalGeneration),
    "deberta": (transformers.DebertaV2Config(**SIZES), transformers.DebertaV2ForMaskedLM),
}


def told(module, last):
    """Op, role and axis of a module's tensor; None where its class does not say. An op of None may be any."""
    kind = type(module).__name__.removeprefix("Parametrized")
    is_weight = last == "weight"
    if last == "num_batches_tracked":
        return "Buffer", "constant", None
    if isinstance(module, torch.nn.Embedding):
        return "Embedding", "embedding", 0
    if isinstance(module, torch.nn.Linear):
        return "Linear", "weight" if is_weight else "bias", 0 if is_weight else None
    if kind == "Conv1D":
        return kind, "weight" if is_weight else "bias", 1 if is_weight else None
    if isinstance(module, torch.nn.modules.conv._ConvNd):
        axis = 1 if kind.startswith("ConvTranspose") else 0
        return kind, "weight" if is_weight else "bias", axis if is_weight else None
    if "BatchNorm" in kind:
        return "BatchNorm", "norm", None
    if "Norm" in kind:
        return None, "norm", None
    return None


def main():
    checked = failed = others = 0
    for name, (config, make) in ZOO.items():
        torch.manual_seed(0)
        model = make(config)
        modules = dict(model.named_modules())
        # A bias whose weight is tied to a table has no weight in the file to be told by.
        untied = set(model.state_dict()) - set(getattr(model, "all_tied_weights_keys", {}) or {})
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder, save_original_format=False)
            command = ["node", str(ROOT / "dist/cli.js"), "inspect", folder, "--json"]
            info = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        for tensor in info["tensors"]:
            path, _, last = tensor["name"].rpartition(".")
            expected = told(modules[path], last)
            if expected is None or (last == "bias" and f"{path}.weight" not in untied and "Norm" not in type(modules[path]).__name__):
                others += 1
                continue
            op = tensor["op"] if expected[0] is None else expected[0]
            checked += 1
            if (op, *expected[1:]) != (tensor["op"], tensor["role"], tensor["axis"]):
                failed += 1
                print(f"{name}: {tensor['name']} {tensor['shape']} is {expected}, told {tensor['op']} {tensor['role']} {tensor['axis']}")
        stored = sum(value.numel() * value.element_size() for key, value in model.named_buffers() if key in model.state_dict())
        if info["footprint"]["float32"] != model.get_memory_footprint(return_buffers=False) + stored:
            failed += 1
            print(f"{name}: footprint {info['footprint']['float32']}, Hugging Face's {model.get_memory_footprint()}")
    print(f"{checked - failed} of {checked} tensors of {len(ZOO)} architectures are told right; {others} are parameters of their own")
    sys.exit(1 if failed else 0)


main()
