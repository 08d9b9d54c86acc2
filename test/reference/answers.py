"""Answers read from outputs: top five classes, text by CTC with its edit distance, masks, boxes after suppression."""

import numpy as np
from golden import encoded, write

CHARACTERS = list("abcdefghij 0123")


def top(rng):
    """Ties and NaN apart, the order of numpy's stable argsort of the negated scores."""
    for rows in (rng.standard_normal(50), np.round(rng.standard_normal(40)), rng.integers(-3, 3, 1000)):
        scores = rows.astype(np.float32)
        yield {"scores": encoded(scores), "top": [int(i) for i in np.argsort(-scores, kind="stable")[:5]]}


def distance(a, b):
    """As static_table.py counts."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def read(steps, alphabet):
    best = steps.argmax(1)
    return "".join(alphabet[c] for at, c in enumerate(best) if c and (at == 0 or c != best[at - 1]))


def text(rng):
    """PaddleOCR's classes: the blank, the dictionary, a space. The other side has some steps of its own."""
    alphabet = ["", *CHARACTERS, " "]
    for steps, spoilt in ((30, 0), (30, 6), (60, 60)):
        before = rng.standard_normal((1, steps, len(alphabet))).astype(np.float32)
        before[0, rng.random(steps) < 0.4, 0] += 5
        after = before.copy()
        after[0, rng.permutation(steps)[:spoilt]] = rng.standard_normal((spoilt, len(alphabet)))
        texts = [read(side[0], alphabet) for side in (before, after)]
        yield {
            "dims": list(before.shape),
            "before": encoded(before),
            "after": encoded(after),
            "texts": texts,
            "distance": distance(*texts),
        }


def mask(rng):
    before = rng.standard_normal((1, 4, 16, 20)).astype(np.float32)
    after = (before + rng.standard_normal(before.shape) * 0.3).astype(np.float32)
    one, other = before[0].argmax(0), after[0].argmax(0)
    return {
        "dims": list(before.shape),
        "before": encoded(before),
        "after": encoded(after),
        "wrong": int((one != other).sum()),
        "of": int(((one != 0) | (other != 0)).sum()),
        "shares": [[float((side == c).mean()) for c in range(4)] for side in (one, other)],
    }


def overlap(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    area = lambda box: (box[2] - box[0]) * (box[3] - box[1])
    return width * height / (area(a) + area(b) - width * height)


def boxes(rng):
    """The head of a YOLOv8: [1, 4 + classes, candidates], centres and sizes in pixels of 640."""
    classes, count, size = 3, 1200, 640
    head = np.zeros((4 + classes, count), np.float32)
    centres = rng.uniform(100, 540, (6, 2))
    which = rng.integers(0, 6, count)
    head[0:2] = (centres[which] + rng.normal(0, 4, (count, 2))).T
    head[2:4] = rng.uniform(60, 90, (2, count))
    head[4:] = rng.uniform(0, 0.2, (classes, count))
    strong = rng.permutation(count)[:80]
    head[4 + which[strong] % classes, strong] = rng.uniform(0.3, 0.95, 80)
    head = head.astype(np.float32)
    rows = head.T.astype(np.float64)
    best, score = rows[:, 4:].argmax(1), rows[:, 4:].max(1)
    kept = []
    for at in np.argsort(-score, kind="stable"):
        if score[at] < 0.25:
            break
        x, y, w, h = rows[at, :4]
        corners = np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2]) / size
        if all(best[at] != c or overlap(corners, other) <= 0.45 for other, c, _ in kept):
            kept.append((corners, best[at], score[at]))
    return {
        "dims": [1, 4 + classes, count],
        "head": encoded(head),
        "size": size,
        "boxes": [[*map(float, corners), int(c), float(s)] for corners, c, s in kept],
    }


def main():
    rng = np.random.default_rng(18)
    write(
        "answers.json",
        f"numpy {np.__version__}",
        {
            "top": list(top(rng)),
            "characters": CHARACTERS,
            "text": list(text(rng)),
            "mask": mask(rng),
            "boxes": boxes(rng),
        },
    )


if __name__ == "__main__":
    main()
