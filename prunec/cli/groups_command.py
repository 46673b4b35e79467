"""`prunec groups`: which channels go together."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Sequence

from prunec.cli.options import add_model_options, add_policy_option

if TYPE_CHECKING:
    from prunec.cli.inputs import Inputs
    from prunec.planning.members import Member

DESCRIPTION = """Lists the groups of a model.  The units of a group are interchangeable candidates for
removal; each is the smallest set of channels that can go.  --json prints groups.json, for programs that
choose what goes."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_model_options(parser)
    add_policy_option(parser)
    parser.add_argument("--json", action="store_true", help="print groups.json instead of a table")
    parser.add_argument(
        "--branches",
        action="store_true",
        help="list whole branches in the place of groups (no command removes these yet)",
    )


def run(options: argparse.Namespace) -> int:
    """Prints the groups."""
    from prunec import __version__
    from prunec.cli.inputs import read_inputs
    from prunec.planning.groups_file import groups_text
    from prunec.planning.members import group_digests, group_members

    if options.branches and options.json:
        options.parser.error("argument --branches: not with --json, which prints groups.json")
    inputs = read_inputs(options)
    if options.branches:
        _print_branches(inputs)
        return 0
    members = group_members(inputs.analysis)
    if options.json:
        digests = group_digests(inputs.analysis)
        print(groups_text(inputs.analysis, inputs.origin, members, digests, __version__), end="")
    else:
        _print_groups(inputs, members)
    return 0


def _print_groups(inputs: Inputs, members: Sequence[Sequence[Member]]) -> None:
    from prunec.cli.table import print_table
    from prunec.planning.groups_file import approximate_reasons, unit_cost
    from prunec.planning.members import group_names

    rows = []
    for group, name, own in zip(inputs.analysis.solution.groups, group_names(members), members):
        cells = len({cell for cell in group.cells.tolist() if cell >= 0})
        parameters = len({member.parameter.name for member in own})
        reasons = approximate_reasons(inputs.analysis, group.number)
        remarks = [f"{cells} cells that lose equally many"] if cells > 1 else []
        remarks += [f"approximate: {reason}" for reason in reasons[:1]]
        cost = unit_cost(own)
        numbers = (str(len(group.units)), str(parameters), "?" if cost is None else f"{cost:,}")
        rows.append((str(group.number), name, *numbers, "; ".join(remarks)))
    columns = ("group", "name", "units", "parameters", "elements per unit", "")
    print_table(columns, rows, frozenset((0, 2, 3, 4)))
    units = sum(len(group.units) for group in inputs.analysis.solution.groups)
    print(f"{len(rows)} groups with {units:,} units")


def _print_branches(inputs: Inputs) -> None:
    from prunec.branches.find import branch_costs, find_branches
    from prunec.cli.table import print_table

    nodes = inputs.analysis.lowered.graph.nodes
    branches = [branch for branch in find_branches(inputs.analysis) if branch.nodes]
    rows = []
    for branch in branches:
        names = ", ".join(nodes[variable].name for variable in branch.masked)
        remark = f"kept: {branch.kept}" if branch.kept else f"zero with {names}"
        costs = branch_costs(inputs.analysis, branch)
        numbers = (str(len(branch.nodes)), *("?" if cost is None else f"{cost:,}" for cost in costs))
        rows.append((nodes[branch.operand.node].name, nodes[branch.node].name, *numbers, remark))
    print_table(("branch", "ends in", "nodes", "parameters", "multiply-adds", ""), rows, frozenset((2, 3, 4)))
    free = sum(not branch.kept for branch in branches)
    print(f"{len(branches)} branches, of which {free} can go")
