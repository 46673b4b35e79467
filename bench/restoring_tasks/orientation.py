"""Whether a line of text stands on its head: the classifier of rapidocr."""

from __future__ import annotations

import numpy as np
from PIL import Image

from bench.packages import RAPIDOCR, Shipped, unpack
from bench.restoring_tasks.lines import fitted, picture, sentence
from bench.restoring_tasks.task import Arrays, Task, accuracy

_MODEL = Shipped(RAPIDOCR, "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx")
_HEIGHT, _WIDTH = 48, 192
_EXAMPLES, _TESTS = 128, 400
_LONGEST = 18


def _draw(seed: int, count: int) -> Arrays:
    """Lines (count, 3, 48, 192), every second one turned by half a circle: class 1."""
    random = np.random.default_rng(seed)
    images = []
    for number in range(count):
        image = picture(random, sentence(random, _LONGEST, least=2))
        images.append(
            fitted(image.transpose(Image.Transpose.ROTATE_180) if number % 2 else image, _HEIGHT, _WIDTH)
        )
    return {"x": np.stack(images), "labels": np.arange(count) % 2}


TASK = Task(
    "orientation",
    "lines of text, half of them turned by 180 degrees",
    lambda: unpack(_MODEL),
    (f"x=1,3,{_HEIGHT},{_WIDTH}",),
    lambda: {"x": _draw(1, _EXAMPLES)["x"]},
    lambda: _draw(2, _TESTS),
    lambda model, test: accuracy(model, "x", test),
)
