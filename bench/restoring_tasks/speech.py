"""Whether somebody speaks: silero's detector as faster-whisper brings it, convolutions and an LSTM."""

from __future__ import annotations

import numpy as np
import onnxruntime

from bench.packages import FASTER_WHISPER, Shipped, unpack
from bench.restoring_tasks.task import Array, Arrays, Task, session

_MODEL = Shipped(FASTER_WHISPER, "faster_whisper/assets/silero_vad_v6.onnx")
_RATE = 16000
#: Samples that the model takes at a time, the last of what it took before first.
_STEP, _CONTEXT = 512, 64
_STATE = 128
_EXAMPLES, _TESTS = 400, 24
#: Steps of one recording: eight seconds.
_STEPS = 250
#: Resonances of vowels, in Hz.
_VOWELS = (
    (730, 1090, 2440),
    (270, 2290, 3010),
    (300, 870, 2240),
    (530, 1840, 2480),
    (570, 840, 2410),
    (660, 1720, 2410),
)


def _vowel(random: np.random.Generator, count: int) -> Array:
    """A voice on one vowel: pulses of a pitch that moves, through resonances."""
    pitch = random.uniform(85, 240) * np.exp(np.linspace(0, random.uniform(-0.25, 0.15), count))
    phase = np.cumsum(pitch / _RATE)
    frequencies = np.fft.rfftfreq(count, 1 / _RATE)
    pulses = np.diff(np.floor(phase), prepend=0.0) + random.normal(0, 0.02, count)
    gain = np.zeros(len(frequencies), complex)
    vowel = _VOWELS[int(random.integers(len(_VOWELS)))]
    for centre, strength, width in zip(vowel, (1.0, 0.5, 0.25), (80.0, 100.0, 140.0)):
        place = centre * random.uniform(0.92, 1.1)
        gain += strength * width * place / (place**2 - frequencies**2 + 1j * width * frequencies)
    sound = np.fft.irfft(np.fft.rfft(pulses) * gain, count)
    edge = np.sin(np.pi * np.linspace(0, 1, count)) ** 0.5
    return np.asarray(sound / (np.abs(sound).max() + 1e-9) * edge)


def _hiss(random: np.random.Generator, count: int) -> Array:
    """A consonant without voice: noise of high frequencies that swells and fades."""
    noise = np.diff(random.normal(0, 1, count + 1))
    return np.asarray(0.3 * noise / np.abs(noise).max() * np.sin(np.pi * np.linspace(0, 1, count)))


def _speech(random: np.random.Generator, count: int) -> Array:
    """Syllables one after the other: (count,)."""
    parts: list[Array] = []
    while sum(len(part) for part in parts) < count:
        if random.random() < 0.6:
            parts.append(_hiss(random, int(random.uniform(0.04, 0.12) * _RATE)))
        parts.append(_vowel(random, int(random.uniform(0.1, 0.3) * _RATE)) * random.uniform(0.5, 1.0))
        parts.append(np.zeros(int(random.uniform(0.0, 0.05) * _RATE)))
    return np.concatenate(parts)[:count]


def _other(random: np.random.Generator, count: int) -> Array:
    """What nobody says: nothing, noise, hum or chords."""
    time = np.arange(count) / _RATE
    kind = int(random.integers(4))
    if kind == 0:
        return np.zeros(count)
    if kind == 1:
        return random.normal(0, random.uniform(0.02, 0.3), count)
    if kind == 2:
        return np.asarray(np.sin(2 * np.pi * 50 * time) * random.uniform(0.1, 0.5))
    notes = random.uniform(200, 1200, 3)
    return np.asarray(sum(np.sin(2 * np.pi * note * time) for note in notes)) * 0.2


def _recording(random: np.random.Generator) -> tuple[Array, Array]:
    """Speech and other sounds in turn (steps * 512,), and which steps are speech, mostly (steps,)."""
    count = _STEPS * _STEP
    sound, spoken = random.normal(0, 0.002, count), np.zeros(count, bool)
    start, speaks = 0, bool(random.integers(2))
    while start < count:
        stop = min(count, start + int(random.uniform(0.8, 2.5) * _RATE))
        made = (_speech if speaks else _other)(random, stop - start)
        sound[start:stop] += made * random.uniform(0.2, 0.8)
        spoken[start:stop] = speaks
        start, speaks = stop, not speaks
    return sound, spoken.reshape(_STEPS, _STEP).mean(axis=1) > 0.5


def _steps(sound: Array) -> Array:
    """What the model takes, step by step: (steps, 576)."""
    padded = np.concatenate([np.zeros(_CONTEXT), sound])
    places = np.arange(len(sound) // _STEP)[:, None] * _STEP + np.arange(_CONTEXT + _STEP)
    return np.asarray(padded[places], np.float32)


def _recordings(seed: int, count: int) -> tuple[Array, Array]:
    """Recordings as the model takes them (count, steps, 576), and where somebody speaks (count, steps)."""
    random = np.random.default_rng(seed)
    pairs = [_recording(random) for _ in range(count)]
    return np.stack([_steps(sound) for sound, _ in pairs]), np.stack([spoken for _, spoken in pairs])


def _run(model: onnxruntime.InferenceSession, steps: Array) -> tuple[Array, Array, Array]:
    """Probabilities of speech (steps,), and the state before each step (steps, 1, 128) twice."""
    h = c = np.zeros((1, 1, _STATE), np.float32)
    chances, hidden, cells = [], [], []
    for step in steps:
        hidden.append(h[0])
        cells.append(c[0])
        chance, h, c = model.run(None, {"input": step[None], "h": h, "c": c})
        chances.append(chance.reshape(()))
    return np.array(chances), np.stack(hidden), np.stack(cells)


def _examples() -> Arrays:
    """Single steps of recordings, with the states that the original model comes to them in."""
    model = session(unpack(_MODEL))
    recordings, _ = _recordings(1, 8)
    runs = [(steps, *_run(model, steps)[1:]) for steps in recordings]
    random = np.random.default_rng(1)
    chosen = np.sort(random.permutation(len(recordings) * _STEPS)[:_EXAMPLES])
    inputs, hidden, cells = (np.concatenate(own)[chosen] for own in zip(*runs))
    return {"input": inputs, "h": hidden, "c": cells}


def _test() -> Arrays:
    model = session(unpack(_MODEL))
    recordings, spoken = _recordings(2, _TESTS)
    return {
        "steps": recordings,
        "expected": np.stack([_run(model, own)[0] for own in recordings]),
        "labels": spoken,
    }


def _measure(model: onnxruntime.InferenceSession, test: Arrays) -> dict[str, float]:
    """Steps in which the model says rightly whether somebody speaks, and in which it says what the original
    does."""
    said = np.stack([_run(model, own)[0] for own in test["steps"]]) > 0.5
    return {
        "accuracy": 100.0 * float(np.mean(said == test["labels"])),
        "agreement": 100.0 * float(np.mean(said == (test["expected"] > 0.5))),
    }


TASK = Task(
    "speech",
    "syllables of pulses through resonances, among noise, hum and chords",
    lambda: unpack(_MODEL),
    (f"input=1,{_CONTEXT + _STEP}",),
    _examples,
    _test,
    _measure,
)
