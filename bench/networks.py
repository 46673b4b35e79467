"""The networks of the corpus: symbol files of real networks, which lie outside of the project.

The folder holds ``WILD.tsv`` (files from public repositories), ``ZOO.tsv`` (exports of model zoos),
``FLOOR.tsv`` (the share of parameters left that a prototype reached) and the files they name.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Mapping, Optional

ROOT = Path(__file__).resolve().parent.parent
#: Where the corpus lies unless an option says otherwise.
CORPUS = ROOT.parent / "shared" / "corpus"
#: Left uncommitted: what a run leaves behind.
BUILD = ROOT / "build"


@dataclass(frozen=True)
class Network:
    """One symbol file.

    ``label`` names it in public tables: the name of a zoo network, a number for any other.  ``inputs``
    are shapes that MXNet takes, empty where none are known.  ``runs`` says that MXNet 1.9.1 loads
    the file and infers its shapes; ``floor`` is the share of parameters left to reach.
    """

    file: str
    label: str
    kind: str
    path: Path
    inputs: Mapping[str, tuple[int, ...]]
    parameters: Optional[Path]
    runs: bool
    note: str
    floor: Optional[float]


def networks(corpus: Path = CORPUS) -> list[Network]:
    """All networks, those from repositories first, in the order of the tables.

    Raises ``SystemExit`` with a message where the corpus is not there.
    """
    if not (corpus / "ZOO.tsv").is_file():
        raise SystemExit(f"there is no corpus in {corpus}: give its folder with --corpus")
    floors = {row["file"]: float(row["left"]) for row in _rows(corpus / "FLOOR.tsv")}
    found = []
    for number, row in enumerate(_rows(corpus / "WILD.tsv"), 1):
        parameters = corpus / row["params"] if row["params"] else None
        runs = row["mxnet"] in ("forward_ok", "infer_ok")
        note = "" if runs else f"{row['mxnet']}: {row['note'] or ''}"
        found.append(_network(corpus, row, f"wild {number:03d}", row["kind"], parameters, runs, note, floors))
    for row in _rows(corpus / "ZOO.tsv"):
        label = Path(row["file"]).name.replace("-symbol.json", "")
        runs = row["run"] == "True"
        note = "" if runs else "a forward pass did not run"
        found.append(_network(corpus, row, label, "zoo", None, True, note, floors))
    return found


def chosen(words: list[str], corpus: Path = CORPUS) -> list[Network]:
    """The networks whose file or label holds any of the words; all of them where there are none."""
    return [n for n in networks(corpus) if not words or any(w in n.file or w == n.label for w in words)]


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, delimiter="\t")


def _network(
    corpus: Path,
    row: Mapping[str, str],
    label: str,
    kind: str,
    parameters: Optional[Path],
    runs: bool,
    note: str,
    floors: Mapping[str, float],
) -> Network:
    shapes = json.loads(row["inputs"]) if row["inputs"] else {}
    inputs = {name: tuple(shape) for name, shape in shapes.items()}
    file = row["file"]
    return Network(file, label, kind, corpus / file, inputs, parameters, runs, note, floors.get(file))
