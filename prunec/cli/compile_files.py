"""The files of a smaller model, as `compile` writes them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Optional

from prunec import __version__
from prunec.cli.artefacts import DIFF, GROUPS, PLAN, SCRIPT, Artefacts
from prunec.cli.inputs import Inputs
from prunec.frontends.base import ModelFolder
from prunec.planning.choose import Plan
from prunec.planning.groups_file import groups_text
from prunec.planning.members import group_digests, group_members, group_names
from prunec.planning.planfile import plan_text, refreshed
from prunec.rewriting.emit import Pruned
from prunec.rewriting.widths import widths

#: The folder beside the other files in which another library finds the smaller model.
FOLDER = "transformers"


def names_in_folder(beside: Optional[ModelFolder[Any]]) -> tuple[str, ...]:
    """The files of that folder."""
    return () if beside is None else tuple(f"{FOLDER}/{name}" for name in beside.names)


def left_in_folder(folder: Path) -> tuple[str, ...]:
    """What an earlier run may have left there that speaks of its model."""
    found = (own for pattern in ("config.json", "*.safetensors*") for own in (folder / FOLDER).glob(pattern))
    return tuple(sorted(f"{FOLDER}/{own.name}" for own in found))


def compiled_files(
    inputs: Inputs, plan: Plan, pruned: Pruned, beside: Optional[ModelFolder[Any]] = None
) -> Artefacts:
    """All of them but reports; ``beside`` is where another library has the model."""
    front, model, analysis, origin = inputs.front, inputs.model, inputs.analysis, inputs.origin
    members = group_members(analysis)
    planned = origin if inputs.plan is None else refreshed(origin, inputs.plan)
    shapes, names = inputs.shapes_of_groups, group_names(members)
    digests = group_digests(analysis)
    whole = front.model_bytes(model, pruned)
    files = {
        **({} if whole is None else {model.path.name: whole}),
        SCRIPT: front.script(model, pruned).encode("ascii"),
        DIFF: front.diff(model, pruned),
        GROUPS: groups_text(analysis, origin, members, digests, __version__).encode("ascii"),
        PLAN: plan_text(
            analysis, planned, plan, names, digests, shapes, __version__, widths(analysis, pruned)
        ).encode("ascii"),
    }
    further = (own.name for own in front.further_files(model) if own.made)
    return Artefacts(
        files,
        inputs.parameters,
        (
            *([model.path.name] if whole is None else []),
            *front.data_files(model),
            *further,
            *names_in_folder(beside),
        ),
        partial(_write_data, inputs, pruned, beside),
        partial(front.check_written, model),
    )


def _write_data(inputs: Inputs, pruned: Pruned, beside: Optional[ModelFolder[Any]], folder: Path) -> None:
    if beside is not None:
        # First, since it may be refused.
        beside.write(inputs.model, pruned, folder / FOLDER)
    inputs.front.write_data(inputs.model, pruned, folder)
