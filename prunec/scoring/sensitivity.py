"""Sensitivity: what pruning one choice alone does to the outputs, measured."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Generator, Iterator, Mapping, NoReturn, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from prunec.analysis.analyse import Analysis
from prunec.channels.choices import Choice, Ranking, removed_units
from prunec.examples import Data
from prunec.frontends.registry import front_end
from prunec.frontends.runtime import Array, run_batches, runtime_of
from prunec.graph import Shape
from prunec.model import FileModel
from prunec.rewriting.emit import emit
from prunec.rewriting.slicing import ParameterSlice, slice_array
from prunec.support.diagnostics import Diagnostic, PrunecError, printable
from prunec.support.files import write_file
from prunec.support.workers import spread

COLUMNS = ("group", "name", "units", "removed", "ratio", "change", "accuracy", "criterion", "measured_for")
#: Far above the table of any network.
MAXIMUM_BYTES = 16 << 20
_HELP = "give the file that `prunec sensitivity` wrote"


@dataclass(frozen=True)
class Entry:
    """One measurement: the first group of a choice, how many of its units went, the relative change of the
    outputs (root of the mean square) and the accuracy, where there were labels."""

    group: int
    name: str
    units: int
    removed: int
    change: float
    accuracy: Optional[float]


@dataclass(frozen=True)
class SensitivityTable:
    """All measurements.  ``criterion`` says which units of a choice went first, ``measured_for`` is a digest
    of model, groups, parameters, examples and criterion.  ``original`` is the model's own accuracy."""

    criterion: str
    measured_for: str
    entries: tuple[Entry, ...]
    original: Optional[float] = None

    def curve(self, group: int, steps: int, size: int, per_step: int) -> NDArray[np.float64]:
        """The change after each of ``steps`` steps of a choice of ``size``, interpolated; it does not fall.

        Raises KeyError where the choice was not measured.
        """
        own = sorted((e.removed / per_step, e.change) for e in self.entries if e.group == group)
        if not own:
            raise KeyError(group)
        at, change = (np.array(column) for column in zip((0.0, 0.0), *own))
        # Behind the last measurement the change goes on as it came.
        slope = change[-1] / at[-1]
        wanted = np.arange(1, steps + 1)
        values = np.interp(wanted, at, change) + np.maximum(wanted - at[-1], 0) * slope
        return np.asarray(np.maximum.accumulate(values))


def key_of(parts: Sequence[str]) -> str:
    """A digest of what a table was measured for."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


# --- measuring -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Measurement:
    """What every process of a measurement is told: the files of the model, the shapes of its inputs, the
    examples, and the file that registers operators, if there is one."""

    model: Path
    parameters: Optional[Path]
    input_shapes: Mapping[str, Shape]
    data: Data
    register: Optional[Path] = None

    def open(self) -> Callable[[Candidate], OutputChange]:
        """Reads and runs the model as it is; the function compares a smaller one with it."""
        front = front_end(self.model)
        if self.register is not None:
            front.register(self.register)
        return Meter(front.read(self.model, self.parameters, self.input_shapes), self.data).compare


@dataclass(frozen=True)
class Candidate:
    """A smaller model: its bytes and the slices of its parameters."""

    network: bytes
    slices: tuple[ParameterSlice, ...]


@dataclass(frozen=True)
class OutputChange:
    """A smaller model beside the original: the relative change of the outputs (root of the mean square), and
    with labels the accuracy of both."""

    change: float
    accuracy: Optional[float]
    original: Optional[float]


class Meter:
    """Runs models on examples and compares them with the original."""

    def __init__(self, model: FileModel, data: Data) -> None:
        self.model = model
        self.runtime = runtime_of(model)
        self.data = data
        self.expected = self._run({}, None)
        self.accuracy = self._accuracy(self.expected)

    def compare(self, candidate: Candidate) -> OutputChange:
        """Runs a smaller model."""
        sliced = {own.name: slice_array(own, self.model.parameter(own.name)) for own in candidate.slices}
        outputs = self._run(sliced, candidate.network)
        difference = scale = 0.0
        for batch, found in zip(self.expected, outputs):
            for a, b in zip(batch, found):
                difference += float(np.sum(np.square(a.astype(np.float64) - b)))
                scale += float(np.sum(np.square(a.astype(np.float64))))
        change = math.sqrt(difference / scale) if scale else math.sqrt(difference)
        return OutputChange(change, self._accuracy(outputs), self.accuracy)

    def _run(self, parameters: Mapping[str, Array], network: Optional[bytes]) -> list[list[Array]]:
        batches = run_batches(self.runtime, self.data, None, parameters, network)
        return [values for values, _ in batches]

    def _accuracy(self, outputs: Sequence[Sequence[Array]]) -> Optional[float]:
        right = total = 0
        for (_, labels), values in zip(self.data.batches(), outputs):
            if labels is None or not values or values[0].ndim != 2:
                return None
            right += int((values[0].argmax(axis=1) == labels).sum())
            total += len(labels)
        return right / total if total else None


def measure(
    analysis: Analysis,
    choices: Sequence[Choice],
    rankings: Sequence[Ranking],
    names: Sequence[str],
    measurement: Measurement,
    ratios: Sequence[float],
    table: SensitivityTable,
    jobs: int,
    part: tuple[int, int] = (1, 1),
) -> Generator[SensitivityTable, None, None]:
    """Measures each choice at each ratio, but for what the table holds, in as many processes; the table
    after each measurement.  Of ``part`` (3, 16) it is each sixteenth, from the third on.

    Entries come in the order in which they are done; the file has them in the order of the groups.  Raises
    PrunecError as the model's framework and :func:`prunec.support.workers.spread` do.
    """
    missing = _missing(choices, ratios, table, part)

    def smaller() -> Iterator[Candidate]:
        for choice, steps in missing:
            counts = np.zeros(len(choices), dtype=np.int64)
            counts[choice.number] = steps
            found = emit(analysis, removed_units(analysis.solution.unit_count, rankings, counts))
            yield Candidate(found.model, found.slices)

    with closing(spread(measurement.open, smaller(), jobs)) as comparisons:
        for number, found in comparisons:
            table = _with_entry(table, *missing[number], names, found)
            yield table


def measure_by(
    change: Callable[[Choice, int], OutputChange],
    choices: Sequence[Choice],
    names: Sequence[str],
    ratios: Sequence[float],
    table: SensitivityTable,
    part: tuple[int, int] = (1, 1),
) -> Generator[SensitivityTable, None, None]:
    """Measures as :func:`measure` does, one after the other, by what ``change`` says of a choice after a
    number of steps."""
    for choice, steps in _missing(choices, ratios, table, part):
        table = _with_entry(table, choice, steps, names, change(choice, steps))
        yield table


def _missing(
    choices: Sequence[Choice], ratios: Sequence[float], table: SensitivityTable, part: tuple[int, int]
) -> list[tuple[Choice, int]]:
    done = {(entry.group, entry.removed) for entry in table.entries}
    return [
        (choice, steps)
        for choice, steps in pending(choices, ratios)[part[0] - 1 :: part[1]]
        if (choice.groups[0], steps * len(choice.cells)) not in done
    ]


def _with_entry(
    table: SensitivityTable, choice: Choice, steps: int, names: Sequence[str], found: OutputChange
) -> SensitivityTable:
    group, removed = choice.groups[0], steps * len(choice.cells)
    entry = Entry(group, names[group], len(choice.units), removed, found.change, found.accuracy)
    return replace(table, entries=(*table.entries, entry), original=found.original)


def pending(choices: Sequence[Choice], ratios: Sequence[float]) -> list[tuple[Choice, int]]:
    """The choices with the steps to measure, each once."""
    found = []
    for choice in choices:
        steps = sorted({min(choice.size - 1, int(choice.size * ratio + 1e-9)) for ratio in ratios})
        found += [(choice, count) for count in steps if count > 0]
    return found


# --- the file --------------------------------------------------------------------------------


def table_text(table: SensitivityTable) -> str:
    """The table as CSV; the row without a group is the original."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    last = (table.criterion, table.measured_for)
    writer.writerow(("", "", "", 0, 0, 0, "" if table.original is None else f"{table.original:.6f}", *last))
    for e in sorted(table.entries, key=lambda e: (e.group, e.removed)):
        accuracy = "" if e.accuracy is None else f"{e.accuracy:.6f}"
        ratio = f"{e.removed / e.units:.4f}"
        writer.writerow((e.group, e.name, e.units, e.removed, ratio, f"{e.change:.6g}", accuracy, *last))
    return out.getvalue()


def write_table(path: Path, table: SensitivityTable) -> None:
    """Writes the table as a whole: an interruption leaves the last one."""
    write_file(path, table_text(table).encode("utf-8"))


def read_table(path: Path) -> SensitivityTable:
    """Reads a table.  Raises PrunecError P541 where the file cannot be read or is no such table."""
    return parse_table(path, read_table_text(path))


def read_table_text(path: Path) -> list[list[str]]:
    """The rows of a CSV file, not longer than a table may be.  Raises PrunecError P541."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read(MAXIMUM_BYTES + 1)
    except OSError as error:
        note = f"the system says: {error.strerror or error}"
        _fail("P541", "cannot read the sensitivities", str(path), note, _HELP)
    except UnicodeDecodeError:
        unreadable(path, "it is not text")
    try:
        rows = list(csv.reader(io.StringIO(text[:MAXIMUM_BYTES])))
    except csv.Error as error:  # a field longer than any name
        unreadable(path, printable(str(error)))
    return [] if len(text) > MAXIMUM_BYTES else rows


def parse_table(path: Path, rows: Sequence[Sequence[str]], before: int = 0) -> SensitivityTable:
    """The table in rows that come after ``before`` others.  Raises PrunecError P541 where they are none."""
    if len(rows) < 2 or tuple(rows[0]) != COLUMNS:
        unreadable(
            path, f"{'the first row' if not before else f'row {before + 1}'} is not {','.join(COLUMNS)}"
        )
    entries = []
    for number, row in enumerate(rows[1:], before + 2):
        try:
            entry = _entry(row)
        except (ValueError, IndexError):
            unreadable(path, f"row {number} does not hold a measurement")
        if entry is not None:
            entries.append(entry)
    first = rows[1]
    original = float(first[6]) if not first[0] and first[6] else None
    return SensitivityTable(first[7], first[8], tuple(entries), original)


def unreadable(path: Path, note: str) -> NoReturn:
    """Raises PrunecError P541 for a file that is no table."""
    _fail("P541", "these are no sensitivities", str(path), note, _HELP)


def _entry(row: Sequence[str]) -> Optional[Entry]:
    if len(row) != len(COLUMNS):
        raise ValueError(row)
    accuracy = float(row[6]) if row[6] else None
    if not row[0]:
        return None
    entry = Entry(int(row[0]), row[1], int(row[2]), int(row[3]), float(row[5]), accuracy)
    if not (entry.group >= 0 and 0 < entry.removed < entry.units and 0 <= entry.change < math.inf):
        raise ValueError(row)
    return entry


def _fail(code: str, headline: str, where: str, note: str, help_text: str) -> NoReturn:
    raise PrunecError(Diagnostic(code, headline, printable(where), notes=(note,), help=help_text)) from None
