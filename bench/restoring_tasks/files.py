"""What type a file has, by its first and last bytes: magika."""

from __future__ import annotations

import json
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from bench.packages import MAGIKA, Shipped, unpack
from bench.restoring_tasks.binaries import BINARIES
from bench.restoring_tasks.task import Array, Arrays, Task, accuracy
from bench.restoring_tasks.texts import TEXTS, text

_MODEL = Shipped(MAGIKA, "magika/models/standard_v3_3/model.onnx")
_CONFIGURATION = Shipped(MAGIKA, "magika/models/standard_v3_3/config.min.json")
_EXAMPLES, _TESTS = 400, 400
#: Files that lie on the machine anyway: of each of these types the smallest are left out.
_FOUND = ("c", "elf", "python")
_SMALLEST = 1000
#: This share of the texts is a few lines out of a file, so that not all are easy.
_EXCERPTS = 0.5
_LINES = (3, 12)
_TYPES = (*TEXTS, *sorted(BINARIES), *_FOUND)


def _features(content: bytes) -> Array:
    """A file as the model takes it: (2048,), the first and the last 1024 bytes, padded with 256.

    White space at either end is left out, within the first and last block of 4096 bytes.
    """
    configuration = json.loads(unpack(_CONFIGURATION).read_text(encoding="utf-8"))
    begin, end = configuration["beg_size"], configuration["end_size"]
    block = configuration["block_size"]
    first, last = content[:block].lstrip()[:begin], content[-block:].rstrip()[-end:]
    result = np.full(begin + end, configuration["padding_token"], np.int32)
    result[: len(first)] = np.frombuffer(first, np.uint8)
    result[len(result) - len(last) :] = np.frombuffer(last, np.uint8)
    return result


def _found(kind: str) -> Sequence[Path]:
    """Files of a type on this machine, in an order that has nothing to do with their names or folders."""
    library = Path(sysconfig.get_path("stdlib"))
    include = Path(np.get_include())
    places = {
        "c": (include, "*.h"),
        "elf": (Path(np.__file__).parent.parent, "*.so*"),
        "python": (library, "*.py"),
    }
    folder, pattern = places[kind]
    paths = [path for path in sorted(folder.rglob(pattern)) if path.is_file()]
    paths = [path for path in paths if path.stat().st_size >= _SMALLEST and "test" not in path.parts]
    return [paths[own] for own in np.random.default_rng(0).permutation(len(paths))]


def _excerpt(content: bytes, random: np.random.Generator) -> bytes:
    """The text, or some lines of it that follow one another."""
    if random.random() >= _EXCERPTS:
        return content
    lines = content.splitlines(keepends=True)
    count = int(random.integers(*_LINES))
    start = int(random.integers(max(1, len(lines) - count)))
    return b"".join(lines[start : start + count])


def _contents(seed: int) -> Iterator[tuple[str, bytes]]:
    """A file of each type after the other, without end.  Different seeds never share a file found here."""
    random = np.random.default_rng(seed)
    found = {kind: iter(_found(kind)[seed % 2 :: 2]) for kind in _FOUND}
    while True:
        for kind in _TYPES:
            if kind in found:
                path = next(found[kind], None)
                if path is not None:
                    yield kind, path.read_bytes()
            elif kind in TEXTS:
                yield kind, _excerpt(text(kind, random), random)
            else:
                yield kind, BINARIES[kind](random)


def _draw(seed: int, count: int) -> Arrays:
    """Files as the model takes them (count, 2048), as many of each type as of the others, and their types."""
    names = json.loads(unpack(_CONFIGURATION).read_text(encoding="utf-8"))["target_labels_space"]
    pairs = [pair for pair, _ in zip(_contents(seed), range(count))]
    labels = np.array([names.index(kind) for kind, _ in pairs])
    return {"bytes": np.stack([_features(content) for _, content in pairs]), "labels": labels}


TASK = Task(
    "files",
    f"files of {len(_TYPES)} types, written on the spot or found on the machine, some texts mere excerpts",
    lambda: unpack(_MODEL),
    ("bytes=1,2048",),
    lambda: {"bytes": _draw(1, _EXAMPLES)["bytes"]},
    lambda: _draw(2, _TESTS),
    lambda model, test: accuracy(model, "bytes", test),
)
