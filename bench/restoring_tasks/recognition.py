"""What a line of text says: the recogniser of rapidocr."""

from __future__ import annotations

import numpy as np
import onnxruntime

from bench.packages import RAPIDOCR, Shipped, unpack
from bench.restoring_tasks.lines import fitted, picture, sentence
from bench.restoring_tasks.reading import shares, text_of
from bench.restoring_tasks.task import Arrays, Task, outputs, session

_MODEL = Shipped(RAPIDOCR, "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx")
_HEIGHT, _WIDTH = 48, 320
_EXAMPLES, _TESTS = 128, 240
_LONGEST = 24


def _draw(seed: int, count: int) -> Arrays:
    """Lines (count, 3, 48, 320) and what they say."""
    random = np.random.default_rng(seed)
    texts = [sentence(random, _LONGEST) for _ in range(count)]
    images = [fitted(picture(random, text), _HEIGHT, _WIDTH) for text in texts]
    return {"x": np.stack(images), "labels": np.array(texts)}


def _characters() -> list[str]:
    """What the classes stand for, which the original model's file says: nothing, the characters, a space."""
    held = session(unpack(_MODEL)).get_modelmeta().custom_metadata_map["character"]
    return ["", *held.split("\n"), " "]


def _measure(model: onnxruntime.InferenceSession, test: Arrays) -> dict[str, float]:
    characters = _characters()
    classes = np.concatenate([own.argmax(axis=2) for own in outputs(model, {"x": test["x"]})])
    return shares((text_of(own, characters) for own in classes), test["labels"].tolist(), "lines")


TASK = Task(
    "recognition",
    "lines of text, several faces, sizes and colours, blur and noise",
    lambda: unpack(_MODEL),
    (f"x=1,3,{_HEIGHT},{_WIDTH}",),
    lambda: {"x": _draw(1, _EXAMPLES)["x"]},
    lambda: _draw(2, _TESTS),
    _measure,
)
