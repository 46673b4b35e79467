"""The files of a smaller model, as `compile` writes them."""

from __future__ import annotations

from functools import partial

from prunec import __version__
from prunec.cli.artefacts import DIFF, GROUPS, PLAN, SCRIPT, Artefacts
from prunec.cli.inputs import Inputs
from prunec.planning.choose import Plan
from prunec.planning.groups_file import groups_text
from prunec.planning.members import group_members, group_names
from prunec.planning.planfile import plan_text, refreshed
from prunec.rewriting.emit import Pruned
from prunec.rewriting.widths import widths


def compiled_files(inputs: Inputs, plan: Plan, pruned: Pruned) -> Artefacts:
    """All of them but reports."""
    front, model, analysis, origin = inputs.front, inputs.model, inputs.analysis, inputs.origin
    members = group_members(analysis)
    planned = origin if inputs.plan is None else refreshed(origin, inputs.plan)
    shapes, names = inputs.shapes_of_groups, group_names(members)
    whole = front.model_bytes(model, pruned)
    files = {
        **({} if whole is None else {model.path.name: whole}),
        SCRIPT: front.script(model, pruned).encode("ascii"),
        DIFF: front.diff(model, pruned),
        GROUPS: groups_text(analysis, origin, members, __version__).encode("ascii"),
        PLAN: plan_text(analysis, planned, plan, names, shapes, __version__, widths(analysis, pruned)).encode(
            "ascii"
        ),
    }
    further = (own.name for own in front.further_files(model) if own.made)
    return Artefacts(
        files,
        inputs.parameters,
        (*([model.path.name] if whole is None else []), *front.data_files(model), *further),
        partial(front.write_data, model, pruned),
        partial(front.check_written, model),
    )
