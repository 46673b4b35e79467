"""Parts of a table of sensitivities, each measured on a machine of its own, and the table that they make."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Optional, Sequence

from prunec.scoring.sensitivity import (
    Entry,
    SensitivityTable,
    parse_table,
    read_table_text,
    table_text,
    unreadable,
)
from prunec.support.diagnostics import Diagnostic, PrunecError, printable
from prunec.support.files import write_file

COLUMNS = ("part", "parts", "rows", "model", "rules", "options")
#: As many parts as can be asked for.
_MOST = 100_000


@dataclass(frozen=True)
class Sweep:
    """What parts have in common: how many there are, how many measurements all of them hold, the digests of
    the model's file and of the rules, and the options that measurements depend on."""

    parts: int
    rows: int
    model: str
    rules: str
    options: str


@dataclass(frozen=True)
class Part:
    """One part of a sweep; ``number`` counts from 1."""

    number: int
    sweep: Sweep
    table: SensitivityTable

    @property
    def rows(self) -> int:
        """How many measurements it holds when it is whole."""
        return len(range(self.number - 1, self.sweep.rows, self.sweep.parts))


def write_part(path: Path, part: Part) -> None:
    """Writes a part as a whole: two rows that say which it is, then its table."""
    own = part.sweep
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerow((part.number, own.parts, own.rows, own.model, own.rules, own.options))
    write_file(path, (out.getvalue() + table_text(part.table)).encode("utf-8"))


def read_part(path: Path) -> Part:
    """Reads a part.  Raises PrunecError P541 where the file cannot be read or is no part."""
    rows = read_table_text(path)
    if len(rows) < 2 or tuple(rows[0]) != COLUMNS or len(rows[1]) != len(COLUMNS):
        unreadable(path, f"the first row is not {','.join(COLUMNS)}: it is no part of a table")
    try:
        number, parts, total = (int(text) for text in rows[1][:3])
    except ValueError:
        number = parts = total = -1
    if not (1 <= number <= parts <= _MOST and total >= 0):
        unreadable(path, "row 2 does not say which part it is")
    return Part(number, Sweep(parts, total, *rows[1][3:]), parse_table(path, rows[2:], 2))


def join(paths: Sequence[Path]) -> SensitivityTable:
    """The table of all parts, as one machine would have measured it.

    Raises PrunecError P541 for files that are no parts, and P549 for parts of different sweeps, for parts and
    rows that are lacking, and for measurements that differ from one file to the other.
    """
    read = [(path, read_part(path)) for path in paths]
    first = read[0][1]
    entries: dict[tuple[int, int], Entry] = {}
    original: Optional[float] = None
    measured: dict[int, set[tuple[int, int]]] = {}
    for path, part in read:
        _check_same(read[0][0], first, path, part)
        for entry in part.table.entries:
            known = entries.setdefault((entry.group, entry.removed), entry)
            if known != entry:
                row = f"group {entry.group} without {entry.removed} of its units"
                _fail(path, "parts say different things of the same measurement", f"it is {row}", _AGAIN)
        own = part.table.original
        if own is not None:
            original = own if original is None else original
            if own != original:
                note = f"{own:.6f} and {original:.6f}"
                _fail(path, "parts say different things of the original's accuracy", note, _AGAIN)
        measured.setdefault(part.number, set()).update((e.group, e.removed) for e in part.table.entries)
    _check_whole(first.sweep, measured)
    for path, part in read:
        if len(measured[part.number]) != part.rows:
            note = f"it holds {len(measured[part.number])} of {part.rows} measurements"
            name = f"{part.number}/{part.sweep.parts}"
            help_text = f"run `prunec sensitivity --part {name}` again; it goes on where it stopped"
            _fail(path, f"part {name} is not whole", note, help_text)
    if len(entries) != first.sweep.rows:
        note = f"they hold {len(entries)} different measurements of {first.sweep.rows}"
        _fail(read[0][0], "parts hold measurements of each other", note, _AGAIN)
    order = sorted(entries.values(), key=lambda own: (own.group, own.removed))
    return SensitivityTable(first.table.criterion, first.table.measured_for, tuple(order), original)


_AGAIN = "measure the parts again, all with the same files"


def _check_same(path: Path, first: Part, other_path: Path, other: Part) -> None:
    """Whether parts are of one sweep."""
    known = (
        ("the number of parts", first.sweep.parts, other.sweep.parts),
        ("the model", first.sweep.model, other.sweep.model),
        ("the rules", first.sweep.rules, other.sweep.rules),
        ("options", first.sweep.options, other.sweep.options),
        ("the number of measurements", first.sweep.rows, other.sweep.rows),
        ("the criterion", first.table.criterion, other.table.criterion),
        (
            "groups, parameters or examples (measured_for)",
            first.table.measured_for,
            other.table.measured_for,
        ),
    )
    for what, one, two in known:
        if one != two:
            note = f"{what}: {printable(str(two))} here, {printable(str(one))} in {printable(str(path))}"
            _fail(other_path, "parts do not belong together", note, "join parts of one run of --part")


def _check_whole(sweep: Sweep, measured: dict[int, set[tuple[int, int]]]) -> None:
    """Whether each part is there, those without a measurement as well: by these a lost job shows."""
    lacking = [number for number in range(1, sweep.parts + 1) if number not in measured]
    if lacking:
        names = ", ".join(f"{number}/{sweep.parts}" for number in lacking[:20])
        more = f" and {len(lacking) - 20} more" if len(lacking) > 20 else ""
        help_text = f"measure them with `prunec sensitivity --part {lacking[0]}/{sweep.parts}`, and join all"
        _fail(None, "parts are lacking", f"{names}{more}", help_text)


def _fail(path: Optional[Path], headline: str, note: str, help_text: str) -> NoReturn:
    where = None if path is None else printable(str(path))
    raise PrunecError(Diagnostic("P549", headline, where, notes=(note,), help=help_text))
