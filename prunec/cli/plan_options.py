"""The options that say what goes, shared by `plan`, `compile` and `sensitivity`; nothing heavy is imported
before they are used."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Mapping, Optional

from prunec.cli.options import ratio

if TYPE_CHECKING:
    from prunec.cli.inputs import Inputs
    from prunec.examples import Data
    from prunec.planning.choose import Options, Plan
    from prunec.planning.targets import Target
    from prunec.scoring.sensitivity import SensitivityTable

#: The share that goes unless the user says otherwise.
DEFAULT_RATIO = 0.5

#: The built-in criteria, in the order of help texts.
CRITERIA = (
    *("l1", "l2", "bn-scale", "lamp", "fpgm", "random", "position"),
    *("activation", "apoz", "taylor", "reconstruction", "obs", "sensitivity"),
)
#: Restores what several criteria choose, and keeps what serves the outputs best.
AUTO = "auto"
_TRIED = ("obs", "reconstruction")

_USED = (
    *("ratio", "criterion", "target", "ranked", "aggregate", "normalise", "align", "max_ratio"),
    *("min_channels", "data", "seed", "sensitivity", "previous"),
)


def add_plan_options(parser: argparse.ArgumentParser) -> None:
    """How to choose what goes."""
    group = parser.add_argument_group("what goes")
    group.add_argument(
        "--ratio", type=ratio, help="share of each group that goes, from 0 to below 1 (default 0.5)"
    )
    group.add_argument(
        "--target",
        metavar="COST=X",
        action="append",
        type=_target,
        help="come down to macs=0.5, params=10M, size=20MB or latency=0.6 (measured), a share or an amount, "
        "instead of --ratio; repeatable",
    )
    group.add_argument(
        "--criterion",
        metavar="NAME",
        help=f"which channels go first: {', '.join(CRITERIA)}, or one that a package brings "
        "(default: l1; without parameters: position; where `compile` restores: auto, which tries obs and "
        "reconstruction, with and without --global)",
    )
    group.add_argument(
        "--global",
        dest="ranked",
        action="store_true",
        default=None,
        help="one ranking over the whole model, in place of the same share of each group",
    )
    group.add_argument("--align", metavar="N", type=whole_number, help="leave multiples of N channels")
    group.add_argument(
        "--max-ratio", metavar="R", type=ratio, help="at most this share of a group goes, below 1"
    )
    group.add_argument(
        "--min-channels", metavar="N", type=whole_number, help="at least this many channels of a group stay"
    )
    group.add_argument(
        "--aggregate",
        choices=("sum", "mean", "max"),
        help="how the scores of a group's parameters are joined (default: the criterion's own)",
    )
    group.add_argument(
        "--normalise",
        choices=("mean", "max", "l2", "lamp", "none"),
        help="how groups are brought to one scale (default: the criterion's own)",
    )
    group.add_argument("--policy", metavar="FILE", help="a .prune file with what is to hold for which nodes")
    group.add_argument("--data", metavar="FILE", help="examples of the model's inputs (.npz)")
    group.add_argument("--sensitivity", metavar="FILE", help="what `prunec sensitivity` measured (.csv)")
    group.add_argument(
        "--from",
        dest="previous",
        metavar="PLAN",
        help="the plan that MODEL came from: the new one says which channels of the original go",
    )
    group.add_argument("--seed", metavar="N", type=_seed, help="for what is random (default 0)")


def given(options: argparse.Namespace) -> list[str]:
    """The options of this module that say what goes and that the command line holds."""
    names = {"ranked": "--global", "previous": "--from"}
    return [
        names.get(name, f"--{name.replace('_', '-')}")
        for name in _USED
        if getattr(options, name, None) is not None
    ]


def check(options: argparse.Namespace) -> None:
    """What does not go together is a usage error."""
    if options.ratio is not None and options.target:
        options.parser.error("argument --target: it says how much goes; leave out --ratio")
    costs = [target.cost for target in options.target or ()]
    twice = sorted({cost for cost in costs if costs.count(cost) > 1})
    if twice:
        options.parser.error(f"argument --target: {twice[0]} is given two targets")
    if options.criterion == "sensitivity" and options.sensitivity is None:
        options.parser.error("argument --criterion: sensitivity needs --sensitivity FILE")
    if options.criterion == AUTO and not getattr(options, "restore", False):
        options.parser.error("argument --criterion: auto is for `compile` with --data, which restores")
    if options.sensitivity is not None and options.criterion != "sensitivity":
        options.parser.error("argument --sensitivity: only --criterion sensitivity goes by it")


def planning_options(options: argparse.Namespace, inputs: Inputs) -> Options:
    """The options of a plan.  Raises PrunecError for files that cannot be read and patterns without a match
    (a warning, on the terminal)."""
    from prunec.planning.choose import Options
    from prunec.planning.targets import Limits

    targets = tuple(options.target or ())
    share = options.ratio
    if share is None and not targets:
        share = DEFAULT_RATIO
    usual = Limits()
    limits = Limits(
        usual.max_ratio if options.max_ratio is None else options.max_ratio,
        options.min_channels or usual.min_channels,
        options.align or usual.align,
    )
    return Options(
        ratio=share,
        targets=targets,
        criterion=options.criterion,
        aggregate=options.aggregate,
        normalise=options.normalise,
        ranked=bool(options.ranked),
        limits=limits,
        seed=options.seed or 0,
        policy=inputs.policy,
        sensitivity=_sensitivities(options),
        data=None if options.data is None else read_examples(options.data, inputs),
    )


def _sensitivities(options: argparse.Namespace) -> Optional[SensitivityTable]:
    if options.sensitivity is None:
        return None
    from pathlib import Path

    from prunec.scoring.sensitivity import read_table

    return read_table(Path(options.sensitivity))


def read_examples(path: str, inputs: Inputs) -> Data:
    """Examples of the model's inputs.  Raises PrunecError P530 to P533."""
    from prunec.examples import read_data
    from prunec.frontends.runtime import runtime_of
    from prunec.planning.variables import variable_shapes

    return read_data(path, runtime_of(inputs.model).examples(variable_shapes(inputs.analysis)))


def make(options: argparse.Namespace, inputs: Inputs) -> Plan:
    """The plan that the command line asks for; warnings go to ``options.terminal``."""
    from dataclasses import replace

    from prunec.planning.choose import make_plan

    chosen = planning_options(options, inputs)
    with options.terminal.step("choosing what goes"):
        plan = make_plan(inputs.analysis, options=chosen)
    if options.previous is not None:
        from prunec.planning.history import continued
        from prunec.planning.planfile import read_plan

        plan = replace(plan, history=continued(read_plan(options.previous), inputs.analysis))
    options.terminal.warn(plan.warnings)
    return plan


def make_all(options: argparse.Namespace, inputs: Inputs) -> list[Plan]:
    """The plans that `auto` tries; warnings that all give go to ``options.terminal``."""
    from dataclasses import replace

    from prunec.planning.choose import make_plan, settings_of
    from prunec.scoring.criteria import find_criterion, unit_scores

    chosen = planning_options(options, inputs)
    plans = []
    with options.terminal.step("choosing what goes"):
        for name in _TRIED:
            scores = unit_scores(inputs.analysis, name, settings_of(chosen, find_criterion(name)))
            for ranked in (True,) if options.ranked else (False, True):
                own = replace(chosen, criterion=name, ranked=ranked)
                plans.append(make_plan(inputs.analysis, options=own, scores=scores))
    options.terminal.warn(plans[0].warnings)
    return plans


def method_text(plan: Plan, inputs: Inputs) -> str:
    """How a plan was made, in a line."""
    method = plan.method
    criterion = method["criterion"]
    if criterion == "position":
        why = "" if inputs.weights is not None else "no parameters at hand: "
        text = f"{why}chosen by position, the last channels of each group go"
    elif criterion == "random":
        text = f"chosen at random, seed {method['seed']}"
    else:
        text = f"chosen by criterion {criterion} from {inputs.weights}"
    if "targets" in method:
        text += f"; target {', '.join(method['targets'])}"
    else:
        text += f"; ratio {method['ratio']}"
    if "restored" in method:
        text += f"; {_restored_text(method)}"
    others = [
        f"{key.replace('_', ' ')} {method[key]}"
        for key in ("aggregate", "normalise", "max_ratio", "min_channels", "align")
        if key in method
    ]
    if method.get("global"):
        others.insert(0, "one ranking over the whole model")
    return "; ".join([text, *others])


def _restored_text(method: Mapping[str, Any]) -> str:
    if "tried" in method:
        return f"{method['restored']}, the best of {len(method['tried'])} plans"
    return str(method["restored"])


def _target(text: str) -> Target:
    from prunec.planning.targets import parse_target

    try:
        return parse_target(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise argparse.ArgumentTypeError(f"{text!r} is no seed: whole numbers from 0 on are")
    return int(text)


def whole_number(text: str) -> int:
    """A number from 1 on."""
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:11]) <= 1 << 20:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)
