"""Files that are not text, of the types that a classifier of files knows: all written on the spot.

Every function takes a source of chance and gives the whole file; no two are the same.
"""

from __future__ import annotations

import bz2
import gzip
import importlib.util
import io
import lzma
import marshal
import pickle
import sqlite3
import struct
import tarfile
import tempfile
import time
import wave
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

import numpy as np
from PIL import Image, ImageDraw

from bench.restoring_tasks.lines import WORDS
from bench.restoring_tasks.texts import Random, some_text

Write = Callable[[Random], bytes]

#: When a file was written that says so; without it, that is now.
_TIME = time.gmtime(1_600_000_000)


def _name(random: Random) -> str:
    return f"{random.choice(WORDS)}/{random.choice(WORDS)}{int(random.integers(100))}.txt"


def _zip(random: Random) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for _ in range(int(random.integers(2, 9))):
            archive.writestr(zipfile.ZipInfo(_name(random), (2020, 1, 1, 0, 0, 0)), some_text(random))
    return held.getvalue()


def _tar(random: Random) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for _ in range(int(random.integers(2, 9))):
            data = some_text(random)
            member = tarfile.TarInfo(_name(random))
            member.size, member.mtime = len(data), int(random.integers(1 << 30))
            archive.addfile(member, io.BytesIO(data))
    return held.getvalue()


def _image(random: Random) -> Image.Image:
    """Shapes on a ground that runs from one colour to another, with some noise."""
    width, height = (int(own) for own in random.integers(24, 160, 2))
    ends = random.uniform(0, 255, (2, 1, 1, 3))
    way = np.linspace(0.0, 1.0, width)[None, :, None] * np.ones((height, 1, 1))
    pixels = ends[0] * (1 - way) + ends[1] * way + random.normal(0, random.uniform(0, 20), (height, width, 3))
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    drawing = ImageDraw.Draw(image)
    for _ in range(int(random.integers(1, 12))):
        x, y, wide, high = (int(own) for own in random.integers(0, 80, 4))
        drawing.ellipse(
            (x, y, x + wide, y + high), fill=tuple(int(own) for own in random.integers(0, 256, 3))
        )
    return image


def _picture(form: str, **options: Any) -> Write:
    def write(random: Random) -> bytes:
        held = io.BytesIO()
        _image(random).save(held, form, **options)
        return held.getvalue()

    return write


def _wav(random: Random) -> bytes:
    held = io.BytesIO()
    rate = int(random.choice([8000, 16000, 22050, 44100]))
    times = np.arange(int(random.integers(2000, 16000))) / rate
    sound = sum(np.sin(2 * np.pi * float(random.uniform(80, 2000)) * times) for _ in range(3))
    with wave.open(held, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((np.asarray(sound) * 8000).astype("<i2").tobytes())
    return held.getvalue()


def _array(random: Random) -> np.ndarray[Any, Any]:
    shape = tuple(int(own) for own in random.integers(2, 30, int(random.integers(1, 4))))
    return random.normal(0, 3, shape).astype(str(random.choice(["f4", "f8", "i4"])))


def _npy(random: Random) -> bytes:
    held = io.BytesIO()
    np.save(held, _array(random))
    return held.getvalue()


def _npz(random: Random) -> bytes:
    held = io.BytesIO()
    np.savez(held, **{str(random.choice(WORDS)): _array(random) for _ in range(int(random.integers(1, 5)))})
    return held.getvalue()


def _pickle(random: Random) -> bytes:
    words = [str(own) for own in random.choice(WORDS, int(random.integers(20, 80)))]
    values = [(word, int(random.integers(1 << 20)), {word: float(random.normal())}) for word in words]
    return pickle.dumps(values, protocol=int(random.integers(2, 5)))


def _sqlite(random: Random) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.db"
        connection = sqlite3.connect(path)
        for name in sorted({str(own) for own in random.choice(WORDS, 3)}):
            connection.execute(f'CREATE TABLE "{name}" (id INTEGER PRIMARY KEY, title TEXT, amount REAL)')
            rows = [(str(random.choice(WORDS)), float(random.normal())) for _ in range(30)]
            connection.executemany(f'INSERT INTO "{name}" (title, amount) VALUES (?, ?)', rows)
        connection.commit()
        connection.close()
        return path.read_bytes()


def _pcap(random: Random) -> bytes:
    packets = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    addresses = random.bytes(12)
    for number in range(int(random.integers(10, 60))):
        payload = random.bytes(int(random.integers(10, 200)))
        header = struct.pack(">BBHHHBBH8s", 0x45, 0, 28 + len(payload), number, 0, 64, 17, 0, addresses[:8])
        ports = struct.pack(">HHHH", 53, int(random.integers(1024, 65536)), 8 + len(payload), 0)
        frame = addresses + b"\x08\x00" + header + ports + payload
        packets.append(struct.pack("<IIII", 1600000000 + number, 0, len(frame), len(frame)) + frame)
    return b"".join(packets)


def _pythonbytecode(random: Random) -> bytes:
    """A module of some functions, compiled by this Python."""
    source = ""
    for number in range(int(random.integers(3, 12))):
        a, b, c = (f"{own}_" for own in random.choice(WORDS, 3))
        source += f"def {a}{number}(value, {c}=None):\n    'What {a} {b} {c} says'\n"
        source += f"    if {c} and value > {random.integers(99)}:\n"
        source += (
            f"        return [{c}.{a}(own) for own in value.{b}('{c}')]\n    raise ValueError('{b} {a}')\n\n"
        )
    code = compile(source, f"{random.choice(WORDS)}.py", "exec")
    stamp = struct.pack("<III", 0, int(random.integers(1 << 30)), len(source))
    return importlib.util.MAGIC_NUMBER + stamp + marshal.dumps(code)


#: How a file of each type is written, by the classifier's names of types.
BINARIES: Mapping[str, Write] = {
    "bmp": _picture("BMP"),
    "bzip": lambda random: bz2.compress(some_text(random)),
    "gif": _picture("GIF"),
    "gzip": lambda random: gzip.compress(some_text(random), mtime=int(random.integers(1 << 30))),
    "ico": _picture("ICO"),
    "jpeg": _picture("JPEG", quality=80),
    "npy": _npy,
    "npz": _npz,
    "pcap": _pcap,
    "pdf": _picture("PDF", creationDate=_TIME, modDate=_TIME),
    "pickle": _pickle,
    "png": _picture("PNG"),
    "pythonbytecode": _pythonbytecode,
    "randombytes": lambda random: random.bytes(int(random.integers(500, 8000))),
    "sqlite": _sqlite,
    "tar": _tar,
    "tiff": _picture("TIFF"),
    "wav": _wav,
    "webp": _picture("WEBP"),
    "xz": lambda random: lzma.compress(some_text(random)),
    "zip": _zip,
    "zlibstream": lambda random: zlib.compress(some_text(random)),
}
