"""Diffs of real networks: real git makes the emitted symbol file of the original, byte for byte."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterator, Optional

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bench.measure import open_model  # noqa: E402
from bench.networks import CORPUS, Network, networks  # noqa: E402
from prunec.analysis.analyse import analyse  # noqa: E402
from prunec.channels.removal import uniform  # noqa: E402
from prunec.frontends.registry import front_end  # noqa: E402
from prunec.language.library import load  # noqa: E402
from prunec.rewriting.emit import emit  # noqa: E402
from prunec.support.diagnostics import PrunecError  # noqa: E402

pytestmark = [
    pytest.mark.skipif(not CORPUS.is_dir(), reason="needs the corpus beside the checkout"),
    pytest.mark.skipif(shutil.which("git") is None, reason="needs git"),
]

COUNT = 50
#: Larger files are of the same kinds, and take long.
_MAXIMUM_BYTES = 250_000


def kinds() -> dict[tuple[str, ...], list[Network]]:
    """Networks that run, by what they are and by how their files are written."""
    found: dict[tuple[str, ...], list[Network]] = {}
    for network in networks() if CORPUS.is_dir() else []:
        if network.runs and network.inputs and network.path.stat().st_size <= _MAXIMUM_BYTES:
            data = network.path.read_bytes()
            key = next((key for key in ("param", "attr", "attrs") if f'"{key}": {{'.encode() in data), "")
            family = re.split(r"[_\d.]", network.label)[0] if network.kind == "zoo" else network.kind
            found.setdefault((family, key, str(data.endswith(b"\n"))), []).append(network)
    return found


def in_turn() -> Iterator[Network]:
    """One of each kind, then a second of each, and so on."""
    groups = list(kinds().values())
    for place in range(max(map(len, groups), default=0)):
        for group in groups:
            if place < len(group):
                yield group[place]


def smaller(network: Network) -> Optional[tuple[bytes, bytes]]:
    """The emitted symbol file and the diff; none for a network that is refused, or loses nothing."""
    model = open_model(network.path, None, network.inputs)
    try:
        analysis = analyse(model, load(["default.prune"]))
    except PrunecError:
        return None
    pruned = emit(analysis, uniform(analysis.solution, 0.5, np.zeros(analysis.solution.unit_count)))
    if pruned.model == model.file.data:
        return None
    return pruned.model, front_end(network.path).diff(model, pruned)


def applied(folder: Path, path: Path, diff: bytes) -> bytes:
    """What `git apply` makes of a file, in a folder that is no repository."""
    folder.mkdir()
    shutil.copy(path, folder)
    (folder / "changes.diff").write_bytes(diff)
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent), "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "apply", "changes.diff"]
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return (folder / path.name).read_bytes()


def test_git_makes_the_smaller_models_of_the_originals(tmp_path: Path) -> None:
    done: list[Network] = []
    for network in in_turn():
        made = smaller(network)
        if made is not None:
            model, diff = made
            assert applied(tmp_path / str(len(done)), network.path, diff) == model, network.file
            assert diff.count(b"\n@@ ") == len(re.findall(rb"\n@@ .* @@ .", diff)), network.file
            done.append(network)
        if len(done) == COUNT:
            break
    assert len(done) == COUNT
    assert len({network.kind for network in done}) > 12
