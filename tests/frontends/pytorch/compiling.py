"""The small program of the fixtures with channels removed, for tests of what is written."""

from __future__ import annotations

from pathlib import Path

from frontends.pytorch.archives import NEWEST
from prunec.analysis.analyse import analyse
from prunec.channels.removal import Removed
from prunec.frontends.pytorch.front_end import FRONT_END
from prunec.frontends.pytorch.model import PytorchModel, read_model
from prunec.language.library import load
from prunec.planning.choose import make_plan
from prunec.rewriting.emit import Pruned, emit


def compiled(folder: Path, ratio: float = 0.4, path: Path = NEWEST) -> tuple[PytorchModel, Pruned]:
    """A program without some of its channels, and all that holds it, in a folder; with its slicing script."""
    analysis = analyse(read_model(path), load([FRONT_END.library]), False)
    removed: Removed = make_plan(analysis, ratio=ratio).removed
    pruned = emit(analysis, removed)
    model = analysis.model
    assert isinstance(model, PytorchModel)
    FRONT_END.write_data(model, pruned, folder)
    (folder / "slice_params.py").write_text(FRONT_END.script(model, pruned))
    return model, pruned
