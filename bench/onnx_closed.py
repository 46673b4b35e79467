"""One architecture exported with closed and with open sizes: the same groups, and exact at other sizes?

``python -m bench.onnx_closed NAME CLOSED OPEN``: a process of its own for each pair of exports, without
PyTorch.  No sizes are given; whether the length of a text is open is read from the file.  Prints one line of
JSON.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections import Counter
from pathlib import Path
from typing import Any, Iterator, Mapping

import numpy as np
import onnx

from bench.evidence import evidence
from bench.measure import layer_channels
from bench.onnx_compile import left_of, random_value
from bench.onnx_networks import Architecture, architecture
from prunec.analysis.analyse import Analysis, analyse
from prunec.channels.removal import illegal, uniform
from prunec.frontends.onnx.model import OnnxModel, read_model
from prunec.frontends.onnx.model_runtime import OnnxRuntime
from prunec.frontends.onnx.preparing import prepared_like
from prunec.frontends.onnx.protobuf import parse_file
from prunec.language.library import load
from prunec.planning.members import group_members
from prunec.rewriting.emit import Pruned, emit
from prunec.rewriting.slicing import mask_array
from prunec.support.diagnostics import PrunecError, render_all
from prunec.verifying.proof import prove
from prunec.verifying.running import Examples, Subject

_RATIO = 0.5
_SEED = 0
#: The size that exports are made with is a batch of two.
BATCHES = (1, 3, 4)
#: Of the length of a text that an export is made with, in tenths.
LENGTHS = (5, 9, 3)
#: Differences that are listed.
_MOST = 6
#: What a unit takes: the parameter, the axis that becomes shorter, and how many positions.
_Signature = tuple[int, tuple[tuple[str, int, int], ...]]


def main() -> int:
    """Compares groups, prunes the open export and proves the result; exit status 0 whatever comes out."""
    name, closed, opened = sys.argv[1:]
    try:
        found = examine(architecture(name), Path(closed), Path(opened))
    except PrunecError as error:
        first = error.diagnostics[0]
        found = {"outcome": "refused", "code": first.code, "message": render_all(error.diagnostics[:3])}
    except Exception:  # the point of the run: nothing may get here
        found = {"outcome": "traceback", "message": traceback.format_exc()}
    print(json.dumps(found))
    return 0


def examine(one: Architecture, closed: Path, opened: Path) -> dict[str, Any]:
    """The groups of both exports beside each other, and how the open one's smaller model compares."""
    rules = load(["onnx.prune"])
    before, after = (analyse(read_model(path), rules) for path in (closed, opened))
    text = open_length(onnx.load(opened, load_external_data=False))
    found: dict[str, Any] = {"length": text, "channels": [_channels(own) for own in (before, after)]}
    found["left"] = [_left(own) for own in (before, after)]
    found["groups"] = [sum(len(members) > 1 for members in group_members(own)) for own in (before, after)]
    found["differences"] = differences(before, after)
    found["reasons"] = [layer_channels(own)[2] for own in (before, after)]
    exact = analyse(read_model(opened), rules, strict=True)
    pruned = _pruned(exact)
    onnx.checker.check_model(onnx.load_from_string(pruned.model), full_check=True)
    found["outcome"] = "pruned" if pruned.slices else "kept"
    found["left_strict"] = _left(exact)
    found["sizes"] = list(_proofs(one, exact, pruned, text))
    return found


def open_length(proto: Any) -> bool:
    """Whether an export leaves the second axis of an input open."""
    shapes = [value.type.tensor_type.shape.dim for value in proto.graph.input]
    return any(len(shape) > 1 and not shape[1].HasField("dim_value") for shape in shapes)


# --- groups ---


def differences(before: Analysis, after: Analysis) -> list[str]:
    """The groups that one of two exports has and the other has not, in whatever order they come.

    Rows of a table that nothing else has are no channels: what a closed length leaves unread of a table of
    positions goes, and an open one may read.
    """
    called = _called(before, after)
    groups = [Counter(_signatures(own, names)) for own, names in zip((before, after), called)]
    told = []
    for which, only in (("closed", groups[0] - groups[1]), ("open", groups[1] - groups[0])):
        told += [f"{which} only: {_words(signature, times)}" for signature, times in sorted(only.items())]
    more = len(told) - _MOST
    return told[:_MOST] + ([f"and {more} more"] if more > 0 else [])


def _called(before: Analysis, after: Analysis) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """What parameters of two exports go by: their names where both have them as parts of the network; those
    that an exporter computed have numbers for names, and go by their shapes where both exports have as many
    of one.  The rest is left out: constants that one exporter computed and the other had compute."""
    shapes = [{own.name: own.shape for own in analysis.parameters} for analysis in (before, after)]
    both = {name for name in shapes[0] if "network." in name and name in shapes[1]}
    counts = [Counter(shape for name, shape in own.items() if name not in both) for own in shapes]
    named = [
        {
            name: name if name in both else f"one of shape {'x'.join(map(str, shape))}"
            for name, shape in own.items()
            if name in both or counts[0][shape] == counts[1][shape]
        }
        for own in shapes
    ]
    return named[0], named[1]


def _signatures(analysis: Analysis, called: Mapping[str, str]) -> Iterator[_Signature]:
    """For each group how many units it has, and what each takes of which parameters."""
    for group, members in zip(analysis.solution.groups, group_members(analysis)):
        own = [
            (called[m.parameter.name], m.axis, m.positions.shape[1])
            for m in members
            if m.parameter.name in called
        ]
        if len(members) > 1:
            yield len(group.units), tuple(sorted(own))


def _words(signature: _Signature, times: int) -> str:
    units, members = signature
    first = ", ".join(f"{name} axis {axis}" for name, axis, _ in members[:2])
    more = f" and {len(members) - 2} more" if len(members) > 2 else ""
    often = f"{times} times " if times > 1 else ""
    return f"{often}{units} units of {first or 'constants that were computed'}{more}"


def _channels(analysis: Analysis) -> int:
    """How many units can go that shorten more than rows of one table."""
    members = group_members(analysis)
    return sum(len(group.units) for group, own in zip(analysis.solution.groups, members) if len(own) > 1)


# --- the smaller model ---


def _left(analysis: Analysis) -> float:
    assert isinstance(analysis.model, OnnxModel)
    return left_of(analysis.model, _pruned(analysis))


def _pruned(analysis: Analysis) -> Pruned:
    random = np.random.default_rng(_SEED)
    removed = uniform(analysis.solution, _RATIO, random.random(analysis.solution.unit_count))
    problems = illegal(analysis.solution, removed)
    assert not problems, f"the plan is illegal: {problems[0]}"
    return emit(analysis, removed)


def _proofs(one: Architecture, analysis: Analysis, pruned: Pruned, text: bool) -> Iterator[dict[str, Any]]:
    """How the smaller model compares at each of the sizes."""
    model = analysis.model
    assert isinstance(model, OnnxModel)
    smaller = prepared_like(parse_file(pruned.model, Path("smaller.onnx")), model.file)
    masked = {own.name: mask_array(own, model.parameter(own.name)) for own in pruned.slices}
    subject = Subject(analysis, pruned, model.runtime(), OnnxRuntime(smaller, model.content), masked)
    for batch, share in zip(BATCHES, LENGTHS):
        shapes = {
            own.name: _shape(own.shape, share if text and own.below is not None else 10) for own in one.inputs
        }
        drawn = [
            {
                own.name: random_value((batch, *shapes[own.name]), own.below, np.random.default_rng(seed))
                for own in one.inputs
            }
            for seed in (_SEED, _SEED + 1)
        ]
        head = {"shapes": {name: [batch, *shape] for name, shape in shapes.items()}}
        try:
            verdict = prove(subject, Examples(*drawn))
        except PrunecError as error:
            outcome = "fails" if _runs(model, drawn[0]) else "neither"
            yield {**head, "outcome": outcome, "error": 0.0, "message": error.diagnostics[0].headline}
            continue
        yield {
            **head,
            "outcome": verdict.outcome.value,
            "error": float(min(verdict.error, 1e30)),
            **evidence(verdict),
        }


def _runs(model: OnnxModel, feeds: Mapping[str, Any]) -> bool:
    """Whether the original runs."""
    try:
        model.runtime().session(feeds).run(feeds)
    except PrunecError:
        return False
    return True


def _shape(shape: tuple[int, ...], tenths: int) -> tuple[int, ...]:
    """The shape of a sample, its first size another."""
    return (max(1, shape[0] * tenths // 10), *shape[1:])


if __name__ == "__main__":
    sys.exit(main())
