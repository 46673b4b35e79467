"""What a captcha says: ddddocr, convolutions and an LSTM."""

from __future__ import annotations

import ast

import numpy as np
import onnxruntime
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from bench.packages import DDDDOCR, Shipped, unpack
from bench.restoring_tasks.lines import FONTS
from bench.restoring_tasks.reading import shares, text_of
from bench.restoring_tasks.task import Array, Arrays, Task, outputs

_MODEL = Shipped(DDDDOCR, "ddddocr/common.onnx")
_SOURCE = Shipped(DDDDOCR, "ddddocr/__init__.py")
_HEIGHT, _WIDTH = 64, 160
_EXAMPLES, _TESTS = 128, 240
#: Some letters cannot be told from others, or from figures, when they are turned.
_LETTERS = "abcdefhkmnpqrtuvwxyz2345678"


def _picture(random: np.random.Generator, text: str) -> Array:
    """Letters, each turned and moved, under lines and dots: (1, 64, 160), values from -1 to 1."""
    image = Image.new("L", (_WIDTH, _HEIGHT), int(random.integers(200, 256)))
    step = (_WIDTH - 16) // len(text)
    for place, letter in enumerate(text):
        size = int(random.integers(36, 48))
        font = ImageFont.truetype(str(unpack(FONTS[int(random.integers(len(FONTS)))])), size)
        mask = Image.new("L", (64, 64), 0)
        ImageDraw.Draw(mask).text((32, 32), letter, font=font, fill=255, anchor="mm")
        mask = mask.rotate(float(random.uniform(-20, 20)), Image.Resampling.BILINEAR)
        x = 8 + place * step + step // 2 - 32 + int(random.integers(-3, 4))
        image.paste(int(random.integers(0, 110)), (x, int(random.integers(-5, 6))), mask)
    drawing = ImageDraw.Draw(image)
    for _ in range(int(random.integers(1, 4))):
        ends = [int(own) for own in random.integers(0, [_WIDTH, _HEIGHT, _WIDTH, _HEIGHT])]
        drawing.line(ends, fill=int(random.integers(60, 190)), width=1)
    for x, y in zip(random.integers(0, _WIDTH, 40), random.integers(0, _HEIGHT, 40)):
        drawing.point((int(x), int(y)), fill=int(random.integers(0, 200)))
    image = image.filter(ImageFilter.GaussianBlur(float(random.uniform(0.0, 0.7))))
    return (np.asarray(image, np.float32)[None] / 255.0 - 0.5) / 0.5


def _draw(seed: int, count: int) -> Arrays:
    """Captchas (count, 1, 64, 160) and what they say: four or five letters and figures."""
    random = np.random.default_rng(seed)
    texts = ["".join(random.choice(list(_LETTERS), int(random.integers(4, 6)))) for _ in range(count)]
    return {"input1": np.stack([_picture(random, text) for text in texts]), "labels": np.array(texts)}


def _characters() -> list[str]:
    """What the classes stand for: the second list in the package's source, which is read and not run."""
    tree = ast.parse(unpack(_SOURCE).read_text(encoding="utf-8"))
    lists = [node.value for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    held = [one for one in lists if isinstance(one, ast.List) and len(one.elts) > 1000]
    return [str(one) for one in ast.literal_eval(held[1])]


def _measure(model: onnxruntime.InferenceSession, test: Arrays) -> dict[str, float]:
    characters = _characters()
    read = outputs(model, {"input1": test["input1"]}, batch=1)
    texts = [text_of(one[:, 0].argmax(axis=1), characters).lower() for one in read]
    return shares(texts, test["labels"].tolist(), "captchas")


TASK = Task(
    "captcha",
    "four or five letters and figures, turned, under lines and dots",
    lambda: unpack(_MODEL),
    (f"input1=1,1,{_HEIGHT},{_WIDTH}",),
    lambda: {"input1": _draw(1, _EXAMPLES)["input1"]},
    lambda: _draw(2, _TESTS),
    _measure,
)
