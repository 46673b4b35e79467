"""Which notes sound: basic-pitch, on tones made of partials."""

from __future__ import annotations

import numpy as np
import onnxruntime

from bench.packages import BASIC_PITCH, Shipped, unpack
from bench.restoring_tasks.task import Array, Arrays, Task, outputs

_MODEL = Shipped(BASIC_PITCH, "basic_pitch/saved_models/icassp_2022/nmp.onnx")
_INPUT = "serving_default_input_2:0"
#: The output with which notes sound, frame by frame; others are onsets and pitches between notes.
_SOUNDING = "StatefulPartitionedCall:1"
_RATE, _SAMPLES = 22050, 43844
_FRAMES, _NOTES, _LOWEST = 172, 88, 21
_HOP = 256
_EXAMPLES, _TESTS = 64, 96
_THRESHOLD = 0.3


def _tone(random: np.random.Generator, note: int, count: int) -> Array:
    """A note that starts at once and fades, with some partials: (count,)."""
    time = np.arange(count) / _RATE
    frequency = 440.0 * 2.0 ** ((note - 69) / 12)
    fading = random.uniform(0.2, 1.5)
    sound = np.zeros(count)
    for partial in range(1, int(random.integers(3, 9))):
        if partial * frequency < _RATE / 2:
            phase = random.uniform(0, 2 * np.pi)
            strength = random.uniform(0.5, 1.0) / partial ** random.uniform(0.8, 1.6)
            sound += strength * np.sin(2 * np.pi * partial * frequency * time + phase)
    edge = np.minimum(1.0, np.minimum(time, time[::-1]) / 0.01)
    return np.asarray(sound * edge * np.exp(-time * fading))


def _draw(seed: int, count: int) -> Arrays:
    """Two seconds of sound each (count, 43844, 1), and which notes sound when (count, 172, 88)."""
    random = np.random.default_rng(seed)
    sounds = random.normal(0.0, 0.002, (count, _SAMPLES))
    labels = np.zeros((count, _FRAMES, _NOTES), bool)
    for number in range(count):
        for _ in range(int(random.integers(2, 7))):
            note = int(random.integers(36, 88))
            start = int(random.integers(0, _SAMPLES - _RATE // 2))
            length = int(random.integers(_RATE // 3, _RATE))
            stop = min(_SAMPLES, start + length)
            sounds[number, start:stop] += _tone(random, note, stop - start) * random.uniform(0.1, 0.4)
            labels[number, round(start / _HOP) : round(stop / _HOP), note - _LOWEST] = True
        sounds[number] /= max(1.0, np.abs(sounds[number]).max())
    return {_INPUT: sounds[:, :, None].astype(np.float32), "labels": labels}


def _measure(model: onnxruntime.InferenceSession, test: Arrays) -> dict[str, float]:
    """The F measure of notes by frames, at a threshold that is the package's own."""
    found = np.concatenate(list(outputs(model, {_INPUT: test[_INPUT]}, _SOUNDING, 8))) > _THRESHOLD
    both, any_of = (found & test["labels"]).sum(), found.sum() + test["labels"].sum()
    return {"notes (F)": 100.0 * 2 * float(both) / float(any_of)}


TASK = Task(
    "notes",
    "two to six notes of some partials in two seconds",
    lambda: unpack(_MODEL),
    (f"{_INPUT}=1,{_SAMPLES},1",),
    lambda: {_INPUT: _draw(1, _EXAMPLES)[_INPUT]},
    lambda: _draw(2, _TESTS),
    _measure,
)
