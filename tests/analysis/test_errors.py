"""What the compiler says where it cannot go on, and what it warns of: the text of each message."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from core.operators import RULES, TEXT, SmallRules
from core.sketch import sketch
from core.small import Builder, solved

from prunec.analysis.analyse import analyse
from prunec.channels.removal import illegal, uniform
from prunec.embedded.slices import Gather, ParameterSlice
from prunec.graph import Node
from prunec.rewriting.emit import emit
from prunec.rewriting.slicing import mask_array, slice_array
from prunec.support.diagnostics import PrunecError, render

DENSE = (("data", None), ("weight", None), ("fc", "dense", ["data", "weight"], {"units": 6}))


def _error(model, rules=RULES, strict=False):
    with pytest.raises(PrunecError) as error:
        analyse(model, rules, strict)
    return error.value.diagnostics


def _text(model, rules=RULES):
    (diagnostic,) = _error(model, rules)
    return render(diagnostic)


# --- shapes ----------------------------------------------------------------------------------


def test_a_shape_that_is_needed():
    model = sketch(
        ("data", None),
        ("weight", None),
        ("flat", "flatten", ["data"]),
        ("fc", "dense", ["flat", "weight"], {"units": 6}),
        outputs=["fc"],
        parameters=["weight"],
    )
    assert _text(model).splitlines() == [
        "error[P401]: the shape of an input is needed: data",
        "  --> node 'flat' (flatten) with inputs data unknown",
        "  note: what this node does to channels depends on its sizes, which nothing in the model gives",
        "  help: give the shape: --input data=SHAPE",
    ]


def test_several_shapes_that_are_needed():
    model = sketch(
        ("left", None),
        ("right", None),
        ("sum", "add", ["left", "right"]),
        ("flat", "flatten", ["sum"]),
        outputs=["flat"],
    )
    text = _text(model)
    assert "error[P401]: the shape of inputs is needed: left, right" in text
    assert "give the shapes: --input left=SHAPE --input right=SHAPE" in text


def test_a_node_that_does_not_fit_its_rule():
    model = sketch(*DENSE, outputs=["fc"], shapes={"data": (2, 4), "weight": (6, 5)}, parameters=["weight"])
    lines = _text(model).splitlines()
    assert lines[:2] == [
        "error[P404]: axis 1 of weight has size 5, the rule expects 4",
        "  --> node 'fc' (dense) with inputs data (2, 4), weight (6, 5)",
    ]
    assert lines[2].startswith("  --> small.prune:3:")
    assert "^^^^^^^^^^^^ this part of the rule" in lines[5]
    assert lines[6:] == [
        "  note: i = 4 (axis 1 of data)",
        "  help: if the model runs as it is, the rule, or a shape given with --input or --params, is wrong",
    ]


def test_all_nodes_that_do_not_fit_are_named_at_once():
    model = sketch(
        ("a", None),
        ("b", None),
        ("one", "add", ["a", "b"]),
        ("two", "multiply", ["a", "b"]),
        outputs=["one", "two"],
        shapes={"a": (2, 3), "b": (2, 4)},
    )
    found = _error(model)
    assert [d.code for d in found] == ["P404", "P404"]
    assert [d.where.split()[1] for d in found] == ["'one'", "'two'"]


def test_two_rules_that_hold_for_one_node():
    text = "op act as one { data[*x] -> out[*x] }\nop act as two when rank(data) > 1 { data[*x] -> out[*x] }"
    model = sketch(("data", None), ("x", "act", ["data"]), outputs=["x"], shapes={"data": (2, 3)})
    lines = _text(model, SmallRules(text)).splitlines()
    assert lines[:3] == [
        "error[P405]: 2 rules hold for one node",
        "  --> node 'x' (act) with inputs data (2, 3)",
        "  --> small.prune:1:4",
    ]
    assert "^^^ one" in lines[5] and "^^^ two" in lines[9]
    assert lines[-1] == "  help: narrow one rule's guard, or let it say `specialises` and the other's label"
    special = text.replace("as two", "as two specialises one")
    assert analyse(model, SmallRules(special)).lowered.rules[1].header.label == "two"


# --- barriers ---------------------------------------------------------------------------------


def _with_barrier(operator, rules=RULES, **attributes):
    """Two layers with an operator between them, twice."""
    model = sketch(
        ("data", None),
        ("w1", None),
        ("one", "dense", ["data", "w1"], {"units": 6}),
        ("b1", operator, ["one"], attributes),
        ("b2", operator, ["b1"], attributes),
        ("w2", None),
        ("two", "dense", ["b2", "w2"], {"units": 3}),
        outputs=["two"],
        shapes={"data": (2, 4), "w1": (6, 4), "w2": (3, 6)},
        parameters=["w1", "w2"],
    )
    return analyse(model, rules)


def test_an_operator_without_a_rule():
    analysis = _with_barrier("mystery")
    (warning,) = analysis.warnings
    assert render(warning).splitlines() == [
        "warning[P406]: no rule knows the operator mystery",
        "  --> node 'b1' (mystery) with inputs one (2, 6) and 1 more",
        "  note: 2 nodes and the 6 channels that enter them are kept as they are",
        "  help: add a rule with --rules, for example: op mystery { data[*x] -> out[*x] }",
    ]
    assert analysis.solution.unit_count == 0
    assert "opaque" in {cause.kind for cause in analysis.solution.causes}


def test_an_operator_none_of_whose_rules_holds():
    text = TEXT + "\nop act(kind) when kind == 1 { data[*x] -> out[*x] }"
    rules = SmallRules(text)
    (warning,) = _with_barrier("act", rules, kind=2).warnings
    lines = render(warning).splitlines()
    assert lines[0] == "warning[P406]: no rule of the operator act holds here"
    assert "the rules start here" in lines[5]
    analysis = _with_barrier("act", rules, kind=1)
    assert analysis.warnings == () and analysis.solution.unit_count == 6


def test_an_opaque_rule_is_no_reason_to_warn():
    rules = SmallRules(TEXT + '\nop act opaque because "it sorts"')
    analysis = _with_barrier("act", rules)
    assert analysis.warnings == () and analysis.solution.unit_count == 0
    assert "it sorts" in {cause.text for cause in analysis.solution.causes}


# --- parameters -------------------------------------------------------------------------------


def _dense(**shapes):
    shapes = {"data": (2, 4), "weight": (6, 4), **shapes}
    return sketch(*DENSE, outputs=["fc"], shapes=shapes, parameters=["weight"])


def test_a_parameter_of_another_shape():
    model = _dense()
    other = replace(model, arrays={"weight": np.zeros((6, 5))})
    assert _text(other).splitlines() == [
        "error[P611]: parameter 'weight' has another shape than the model needs",
        "  --> parameter 'weight'",
        "  note: the file has (6, 5), the model needs (6, 4)",
        "  help: give the parameter file that belongs to this model with --params",
    ]
    scalar = replace(model, arrays={"weight": np.zeros(24)})
    assert "the file has (24), the model needs (6, 4)" in _text(scalar)


def test_all_parameters_of_another_shape_are_named_at_once():
    b = Builder()
    model = b.finish(b.dense(b.dense(b.input(2, 4), 6), 3))
    arrays = {name: np.zeros((*value.shape, 1)) for name, value in model.arrays.items()}
    found = _error(replace(model, arrays=arrays))
    assert [d.code for d in found] == ["P611"] * 4


def test_an_array_of_another_shape_is_not_sliced():
    piece = ParameterSlice("w", (4, 3), (4, 3), (Gather(0, (), np.array([0, 2])),), (2, 3))
    for work in (slice_array, mask_array):
        with pytest.raises(PrunecError) as error:
            work(piece, np.zeros((3, 4)))
        assert render(error.value.diagnostics[0]).splitlines() == [
            "error[P620]: the parameter 'w' has the shape (3, 4), not (4, 3)",
            "  note: the plan was made for parameters where 'w' has the shape (4, 3)",
            "  help: give the parameter file of the model that was pruned",
        ]


# --- emission ---------------------------------------------------------------------------------


def test_an_attribute_that_must_change_and_is_not_there():
    rules = SmallRules(TEXT.replace("op dense(units)", "op dense(units = 6)"))
    b = Builder()
    model = b.finish(b.dense(b.dense(b.input(2, 4), 6), 3))
    nodes = list(model.graph.nodes)
    at = next(i for i, node in enumerate(nodes) if node.operator == "dense")
    nodes[at] = Node("hidden", "dense", {}, nodes[at].inputs)
    model = replace(model, graph=replace(model.graph, nodes=tuple(nodes)))
    analysis = analyse(model, rules)
    removed = uniform(analysis.solution, 0.5, np.zeros(analysis.solution.unit_count))
    with pytest.raises(PrunecError) as error:
        emit(analysis, removed)
    assert render(error.value.diagnostics[0]).splitlines() == [
        "error[P503]: attribute 'units' must become 3, but the node does not have it",
        "  --> node 'hidden' (dense) with inputs input0 (2, 4), weight0 (6, 4), bias1 (6)",
        "  note: prunec changes values that are in the file and adds none",
        "  help: write units with its present value into the model file, or keep these channels by a rule",
    ]


# --- plans ------------------------------------------------------------------------------------


def _two_layers():
    b = Builder()
    return solved(b.finish(b.dense(b.grouped(b.grouped(b.input(2, 3), 6), 6, groups=2), 3)))


def test_a_group_that_would_vanish():
    analysis = _two_layers()
    removed = np.zeros(12, dtype=bool)
    removed[:6] = True
    assert illegal(analysis.solution, removed) == ["group 0 would lose all its 6 units; one must stay"]


def test_cells_that_lose_unequally():
    analysis = _two_layers()
    removed = np.zeros(12, dtype=bool)
    removed[[0, 1, 3]] = True
    message = "group 0 must lose equally many units of every cell, not 2, 1"
    assert illegal(analysis.solution, removed) == [message]
    removed[4] = True
    assert illegal(analysis.solution, removed) == []


def _balanced_groups():
    """A table whose rows hold units of several footprints: its cells run through three groups."""
    b = Builder()
    x = b.grouped(b.input(2, 3), 6)
    parts = b.add("part_at", x, axis=1, starts=(0, 1, 4))
    return solved(b.finish(b.dense(b.grouped(x, 4, groups=2), 3), *[b.dense(part, 3) for part in parts[1:]]))


def test_groups_that_must_lose_equally():
    analysis = _balanced_groups()
    first = [
        group for group in analysis.solution.groups if group.domain == analysis.solution.groups[0].domain
    ]
    assert len(first) > 1
    numbers = ", ".join(str(group.number) for group in first)
    removed = np.zeros(analysis.solution.unit_count, dtype=bool)
    removed[1] = True
    assert illegal(analysis.solution, removed) == [
        f"groups {numbers}, balanced against each other, must lose equally many units of every cell, not 1, 0"
    ]
    removed[3] = True
    assert illegal(analysis.solution, removed) == []


@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.5, 0.75, 0.99])
def test_uniform_plans_are_legal_and_keep_their_ratio(ratio):
    for analysis in (_two_layers(), _balanced_groups()):
        solution = analysis.solution
        for seed in range(5):
            scores = np.random.default_rng(seed).random(solution.unit_count)
            removed = uniform(solution, ratio, scores)
            assert illegal(solution, removed) == []
            for group in solution.groups:
                if (group.cells < 0).all():
                    most = min(int(len(group.units) * ratio + 1e-9), len(group.units) - 1)
                    assert removed[group.units].sum() == most
                    lowest = np.sort(scores[group.units])[:most]
                    assert np.array_equal(np.sort(scores[group.units[removed[group.units]]]), lowest)


def test_ties_between_scores_go_to_the_later_position():
    b = Builder()
    analysis = solved(b.finish(b.dense(b.dense(b.input(2, 4), 6), 3)))
    removed = uniform(analysis.solution, 0.5, np.zeros(6))
    assert removed.tolist() == [False] * 3 + [True] * 3
