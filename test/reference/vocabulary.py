"""Texts of tokens by Hugging Face's tokenizers, of small tokenizers of each kind that are trained here."""

import json

import tokenizers
from golden import write
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

LINES = [
    "Quantized networks answer as the original does.",
    "Größe, naïve café, Ångström; größer als früher.",
    "数字化的模型，日本語のテスト。",
    "emoji 🙂🚀 and tabs\tand  two spaces",
] * 4


def byte_level():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer, trainers.BpeTrainer(
        vocab_size=320, special_tokens=["<|end|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )


def word_piece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    return tokenizer, trainers.WordPieceTrainer(vocab_size=150, special_tokens=["[UNK]"])


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="never")
    return tokenizer, trainers.UnigramTrainer(vocab_size=150, special_tokens=["<s>"])


def main():
    cases = []
    for make in (byte_level, word_piece, unigram):
        tokenizer, trainer = make()
        tokenizer.train_from_iterator(LINES, trainer)
        texts = []
        for line in LINES[:4]:
            ids = tokenizer.encode(line).ids
            texts.append({"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=False)})
        cases.append({"name": make.__name__, "tokenizer": json.loads(tokenizer.to_str()), "texts": texts})
    write("vocabulary.json", f"tokenizers {tokenizers.__version__}", {"cases": cases})


if __name__ == "__main__":
    main()
