"""What became of a model's outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Optional, Sequence

import numpy as np

from prunec.frontends.runtime import Array

#: So many elements are looked at together.
_PIECE = 1 << 16


@dataclass(frozen=True)
class Quality:
    """A model beside the original, on the same examples.

    ``change`` is the change of the outputs, root of the mean square, relative to them; ``agreement`` the
    share of cases in which the first output names the same class, ``None`` where it names none; ``accuracy``
    the share in which it names the label, ``None`` without labels.
    """

    change: float
    agreement: Optional[float]
    accuracy: Optional[float]


class SpreadMeter:
    """How much outputs differ from example to example, relative to how large they are."""

    def __init__(self) -> None:
        self._sums: list[tuple[int, Array, Array]] = []

    def add(self, outputs: Sequence[Array]) -> None:
        """Takes in what a model gave for some examples, which stand along the first axes."""
        for number, output in enumerate(outputs):
            rows = output.reshape(len(output), -1).astype(np.float64) if output.ndim else output.reshape(1, 1)
            own = (len(rows), rows.sum(axis=0), np.square(rows).sum(axis=0))
            if number == len(self._sums):
                self._sums.append(own)
            elif self._sums[number][1].shape == own[1].shape:
                count, total, squares = self._sums[number]
                self._sums[number] = (count + own[0], total + own[1], squares + own[2])

    def result(self) -> float:
        """That of the output that differs most, 0 where all are the same."""
        found = [0.0]
        for count, total, squares in self._sums:
            size = float(squares.mean()) / count if squares.size else 0.0
            variance = float((squares / count - np.square(total / count)).mean()) if squares.size else 0.0
            found.append(float(np.sqrt(max(variance, 0.0) / size)) if size > 0 else 0.0)
        return max(found)


class QualityMeter:
    """Sums over blocks of examples."""

    def __init__(self) -> None:
        self._wrong: list[float] = []
        self._whole: list[float] = []
        self._same = self._cases = self._right = self._labelled = 0

    def add(self, before: Sequence[Array], after: Sequence[Array], labels: Optional[Array]) -> None:
        """Takes in what the original and the other model gave."""
        for number, (a, b) in enumerate(zip(before, after)):
            if number == len(self._wrong):
                self._wrong.append(0.0)
                self._whole.append(0.0)
            if a.dtype.kind in "fiu" and a.shape == b.shape:
                for own, other in zip(*(_pieces(array) for array in (a, b))):
                    wide = own.astype(np.float64)
                    self._whole[number] += float(np.dot(wide, wide))
                    wide -= other
                    self._wrong[number] += float(np.dot(wide, wide))
        if before and before[0].dtype.kind == "f" and before[0].shape == after[0].shape:
            self._count_classes(before[0], after[0], labels)

    def _count_classes(self, before: Array, after: Array, labels: Optional[Array]) -> None:
        if before.ndim not in (2, 3) or before.shape[-1] < 2:
            return
        named, other = before.argmax(axis=-1), after.argmax(axis=-1)
        self._same += int((named == other).sum())
        self._cases += named.size
        if labels is not None and other.shape == labels.shape:
            self._right += int((other == labels).sum())
            self._labelled += len(labels)

    def result(self) -> Quality:
        """What was found so far; an output that is zero changes by how large the other is."""
        parts = [wrong / whole if whole else wrong for wrong, whole in zip(self._wrong, self._whole)]
        change = float(np.sqrt(np.mean(parts))) if parts else 0.0
        return Quality(
            change,
            self._same / self._cases if self._cases else None,
            self._right / self._labelled if self._labelled else None,
        )


def _pieces(array: Array) -> Iterator[Array]:
    """An array flat, piece by piece: in double precision all of it may not fit where arrays are fast."""
    flat = array.reshape(-1)
    return (flat[start : start + _PIECE] for start in range(0, flat.size, _PIECE))
