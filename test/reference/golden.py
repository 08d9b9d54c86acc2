"""What the golden scripts share: base64 arrays and where the files go."""

import base64
import hashlib
import json
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent.parent / "fixtures" / "goldens"


def encoded(array):
    """Base64 of an array's little-endian bytes."""
    array = np.ascontiguousarray(array)
    return base64.b64encode(array.astype(array.dtype.newbyteorder("<")).tobytes()).decode()


def sha256(array):
    array = np.ascontiguousarray(array)
    return hashlib.sha256(array.astype(array.dtype.newbyteorder("<")).tobytes()).hexdigest()


def write(name, made_by, content):
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"madeBy": made_by, **content}, indent=1, allow_nan=False)
    (FOLDER / name).write_text(text + "\n")
