"""Small networks, trained here on data that is made here, for npm run bench:accuracy.

trained_networks.py OUT [NAME] writes OUT/NAME/model.onnx, OUT/NAME/calibration and OUT/NAME/evaluation: .npz files by
input name, and evaluation/truth.json. The networks and their tasks:

  mlp          digits rendered in many typefaces, turned, moved and with noise: which digit
  cnn          the same, by depthwise and pointwise Convs with residual connections
  transformer  the text of Python's own manual (pydoc_data.topics): the next character
  lstm         the same text without spaces, read in both directions: after which characters words end

Training, calibration and evaluation use different typefaces or parts of the text. Seeds are fixed. Needs torch, Pillow
and the DejaVu, Liberation and FreeFont fonts (see static_data.py).
"""

import json
import os
import random
import sys
import time

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from pydoc_data import topics
from static_data import FONTS
from torch import nn
from torch.nn import functional as F

SIDE, CONTEXT = 32, 64


def digit(rng, fonts):
    """A digit of 32 x 32 pixels in -1 to 1, and its value."""
    value = rng.randrange(10)
    face = ImageFont.truetype(rng.choice(fonts), rng.randrange(20, 29))
    picture = Image.new("L", (SIDE, SIDE), 0)
    at = (SIDE / 2 + rng.uniform(-2, 2), SIDE / 2 + rng.uniform(-2, 2))
    ImageDraw.Draw(picture).text(at, str(value), rng.randrange(120, 256), face, anchor="mm")
    picture = picture.rotate(rng.uniform(-15, 15), Image.BILINEAR)
    noise = np.random.default_rng(rng.randrange(2**32)).normal(0, rng.uniform(5, 45), (SIDE, SIDE))
    return np.clip((np.asarray(picture, np.float32) + noise) / 127.5 - 1, -1, 1).astype(np.float32), value


def digits(seed, count, fonts):
    rng = random.Random(seed)
    pictures, values = zip(*(digit(rng, fonts) for _ in range(count)))
    return np.stack(pictures)[:, None], np.array(values)


def digit_sets():
    """Every fourth typeface is for calibration and evaluation alone."""
    seen, unseen = [f for at, f in enumerate(FONTS) if at % 4], FONTS[::4]
    return digits(1, 6000, seen), digits(2, 64, unseen), digits(3, 800, unseen)


def characters():
    """The manual as codes, one for each of its characters, in parts for training, calibration and evaluation."""
    text = "".join(topics.topics[name] for name in sorted(topics.topics))
    text = "".join(c if 32 <= ord(c) < 127 else " " for c in " ".join(text.split()))
    codes = np.frombuffer(text.encode(), np.uint8).astype(np.int64) - 32
    return np.split(codes, [int(0.8 * len(codes)), int(0.85 * len(codes))])


def next_character(codes):
    rows = codes[: len(codes) // (CONTEXT + 1) * (CONTEXT + 1)].reshape(-1, CONTEXT + 1)
    return rows[:, :-1], rows[:, 1:]


def word_ends(codes):
    """Characters without the spaces, and 1 after which one was."""
    space = codes == 0
    ends, letters = np.append(space[1:], True)[~space].astype(np.int64), codes[~space]
    rows = len(letters) // CONTEXT
    return letters[: rows * CONTEXT].reshape(rows, -1), ends[: rows * CONTEXT].reshape(rows, -1)


class Mlp(nn.Module):
    """Linear layers of three dimensions, which export as MatMul and Add."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(SIDE * SIDE, 256), nn.Linear(256, 128), nn.Linear(128, 10)

    def forward(self, x):
        x = F.relu(self.first(x.flatten(2)))
        return self.last(F.relu(self.second(x)))[:, 0]


class Residual(nn.Module):
    """A depthwise and a pointwise Conv, beside the input."""

    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x):
        return F.relu(x + self.body(x))


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        down = lambda a, b: nn.Sequential(nn.Conv2d(a, b, 3, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU())
        self.body = nn.Sequential(down(1, 24), Residual(24), down(24, 64), Residual(64), Residual(64))
        self.last = nn.Linear(64, 10)

    def forward(self, x):
        return self.last(self.body(x).mean((2, 3)))


class Layer(nn.Module):
    """Causal attention and a feed-forward part, each after a norm and beside its input."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.register_buffer("mask", torch.full((CONTEXT, CONTEXT), -1e4).triu(1))

    def forward(self, x):
        split = lambda y: y.reshape(-1, CONTEXT, self.heads, y.shape[-1] // self.heads).transpose(1, 2)
        y = self.norm1(x)
        query, key, value = split(self.query(y)), split(self.key(y)), split(self.value(y))
        weights = F.softmax(query @ key.transpose(2, 3) * query.shape[-1] ** -0.5 + self.mask, -1)
        x = x + self.out((weights @ value).transpose(1, 2).reshape(x.shape[0], CONTEXT, -1))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    def __init__(self, width=128):
        super().__init__()
        self.characters, self.places = nn.Embedding(95, width), nn.Parameter(0.02 * torch.randn(CONTEXT, width))
        self.layers = nn.Sequential(Layer(width, 4), Layer(width, 4))
        self.norm, self.last = nn.LayerNorm(width), nn.Linear(width, 95)

    def forward(self, x):
        return self.last(self.norm(self.layers(self.characters(x) + self.places)))


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.characters = nn.Embedding(95, 64)
        self.body = nn.LSTM(64, 96, batch_first=True, bidirectional=True)
        self.hidden, self.last = nn.Linear(192, 128), nn.Linear(128, 2)

    def forward(self, x):
        return self.last(F.relu(self.hidden(self.body(self.characters(x))[0])))


NETWORKS = {
    "mlp": (Mlp, digit_sets, 600),
    "cnn": (Cnn, digit_sets, 500),
    "transformer": (Transformer, lambda: [next_character(part) for part in characters()], 900),
    "lstm": (Lstm, lambda: [word_ends(part) for part in characters()], 500),
}


def train(network, inputs, truth, steps):
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, steps)
    chance = np.random.default_rng(5)
    network.train()
    for _ in range(steps):
        rows = chance.integers(len(inputs), size=48)
        made = network(torch.from_numpy(inputs[rows]))
        loss = F.cross_entropy(made.flatten(0, -2), torch.from_numpy(truth[rows]).flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return network.eval(), loss.item()


def save(folder, inputs, truth):
    os.makedirs(folder, exist_ok=True)
    for index, row in enumerate(inputs):
        np.savez(os.path.join(folder, f"{index:04}.npz"), x=row[None])
    with open(os.path.join(folder, "truth.json"), "w") as file:
        json.dump(truth.tolist(), file)


def main():
    out, *only = sys.argv[1:]
    torch.set_num_threads(1)
    for name, (build, data, steps) in NETWORKS.items():
        if only and name not in only:
            continue
        began = time.process_time()
        torch.manual_seed(11)
        (inputs, truth), calibration, evaluation = data()
        network, loss = train(build(), inputs, truth, steps)
        save(os.path.join(out, name, "calibration"), *(part[:64] for part in calibration))
        save(os.path.join(out, name, "evaluation"), *(part[:800 if truth.ndim == 1 else 200] for part in evaluation))
        model = os.path.join(out, name, "model.onnx")
        example = torch.from_numpy(evaluation[0][:1])
        torch.onnx.export(network, example, model, dynamo=False, opset_version=17, input_names=["x"], output_names=["y"])
        print(f"{name}: loss {loss:.3f}, {os.path.getsize(model)} bytes, {time.process_time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
