"""Goldens of calibration pictures: Pillow's decoders, resizing and framing, NumPy's normalization.

Writes test/fixtures/pictures/ (small files of each format) and pictures.json, which has the RGB bytes that
Pillow decodes (hexadecimal SHA-256) and small results in full. Pillow 12.3, NumPy 2.
Usage: python test/reference/pictures.py
"""

import base64
import hashlib
import json
import pathlib

import numpy as np
from PIL import Image, ImageOps

OUT = pathlib.Path(__file__).parent.parent / "fixtures" / "pictures"
WIDTH, HEIGHT = 53, 37


def picture():
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    rgb = np.stack([(x * 4) % 256, (y * 6) % 256, (x * y) % 256], -1)
    return (rgb * 0.8 + rng.integers(0, 50, rgb.shape)).astype(np.uint8), x


def save_all():
    rgb, x = picture()
    image = Image.fromarray(rgb)
    alpha = Image.fromarray(np.dstack([rgb, (x * 5 % 256).astype(np.uint8)]))
    turned = Image.Exif()
    turned[0x112] = 6
    deep = Image.fromarray((rgb[:, :, 0].astype(np.uint16) << 8) + 77)
    palette = image.convert("P", palette=Image.Palette.ADAPTIVE)
    image.save(OUT / "rgb.png")
    image.convert("L").save(OUT / "gray.png")
    image.convert("1").save(OUT / "bits.png")
    palette.save(OUT / "palette.png", transparency=3)
    alpha.save(OUT / "alpha.png")
    deep.save(OUT / "deep.png")
    image.save(OUT / "rgb.jpg", quality=80)
    image.save(OUT / "progressive.jpg", quality=80, progressive=True, subsampling=2)
    image.convert("L").save(OUT / "gray.jpg")
    image.save(OUT / "turned.jpg", exif=turned)
    image.convert("CMYK").save(OUT / "cmyk.jpg")
    image.save(OUT / "lossy.webp", quality=80)
    alpha.save(OUT / "lossless.webp", lossless=True)
    image.save(OUT / "rgb.bmp")
    image.convert("L").save(OUT / "gray.bmp")
    image.convert("1").save(OUT / "bits.bmp")
    palette.save(OUT / "palette.bmp")
    alpha.save(OUT / "alpha.bmp")
    (OUT / "rle8.bmp").write_bytes(rle8(palette))


def rle8(image):
    """A bitmap of run lengths, which Pillow reads and does not write."""
    indices = np.asarray(image)
    body = bytearray()
    for row in indices[::-1]:
        body += bytes([0, len(row)]) + row.tobytes() + bytes(len(row) % 2)
        body += bytes([0, 0])
    body += bytes([0, 1])
    colours = np.zeros((256, 4), np.uint8)
    given = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    colours[: len(given), :3] = given[:, ::-1]
    start = 54 + 1024
    numbers = lambda size, *values: b"".join(int(v).to_bytes(size, "little", signed=v < 0) for v in values)
    header = b"BM" + numbers(4, start + len(body), 0, start)
    header += numbers(4, 40, WIDTH, HEIGHT) + numbers(2, 1, 8) + numbers(4, 1, len(body), 0, 0, 256, 256)
    return header + colours.tobytes() + bytes(body)


def rgb_of(file):
    image = ImageOps.exif_transpose(Image.open(file))
    if image.mode.startswith("I;16"):
        # Pillow's own conversion saturates.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return np.asarray(image.convert("RGB"))


def text(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def frames():
    image = Image.open(OUT / "rgb.png")
    bilinear = Image.Resampling.BILINEAR
    for width, height in [(16, 16), (24, 10), (10, 24), (80, 64), (53, 20), (7, 37), (1, 1)]:
        for name, made in [
            ("stretch", image.resize((width, height), bilinear)),
            ("fit", ImageOps.pad(image, (width, height), bilinear)),
            ("cover", ImageOps.fit(image, (width, height), bilinear)),
        ]:
            yield {"resize": name, "size": [height, width], "rgb": text(np.asarray(made))}


def tensors():
    image = Image.open(OUT / "rgb.png").resize((12, 8), Image.Resampling.BILINEAR)
    rgb = np.asarray(image).astype(np.float64) / 255
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    made = ((rgb - mean) / std).astype(np.float32)
    yield {"name": "imagenet", "value": text(made.transpose(2, 0, 1)[None])}
    bgr = ((rgb[:, :, ::-1] - 0.5) / 0.5).astype(np.float16)
    yield {"name": "bgr", "value": text(bgr[None])}
    yield {"name": "bytes", "value": text(np.asarray(image)[None])}
    gray = np.asarray(Image.open(OUT / "rgb.png").convert("L").resize((12, 8), Image.Resampling.BILINEAR))
    yield {"name": "gray", "value": text((gray / 255).astype(np.float32)[None, None])}


OUT.mkdir(parents=True, exist_ok=True)
save_all()
names = sorted(path.name for path in OUT.iterdir() if path.suffix != ".json" and path.name != "cmyk.jpg")
decoded = []
for name in names:
    rgb = rgb_of(OUT / name)
    size = [int(rgb.shape[1]), int(rgb.shape[0])]
    decoded.append({"name": name, "size": size, "sha256": hashlib.sha256(rgb.tobytes()).hexdigest()})
goldens = {"decoded": decoded, "frames": list(frames()), "tensors": list(tensors())}
(OUT / "pictures.json").write_text(json.dumps(goldens, indent=1) + "\n")
