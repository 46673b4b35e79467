"""What explanations say, in every format."""

from __future__ import annotations

import json
from typing import Any

import pytest

mx = pytest.importorskip("mxnet", reason="needs MXNet")

import networks  # noqa: E402
from networks.case import ENDS, Case, conv, global_pool, head, image, relu  # noqa: E402

from explaining.models import RULES, analysed, model_of  # noqa: E402
from prunec.analysis.analyse import analyse  # noqa: E402
from prunec.explaining.diagrams import dot, explanation_diagram, kept_diagram, mermaid  # noqa: E402
from prunec.explaining.explain import explain  # noqa: E402
from prunec.explaining.explanation_text import (  # noqa: E402
    explanation_json,
    explanation_text,
    kept_json,
    kept_text,
    ranges,
)
from prunec.explaining.findings import Fate  # noqa: E402
from prunec.explaining.kept import kept  # noqa: E402
from prunec.support.diagnostics import PrunecError, render_all  # noqa: E402


def case(name: str) -> Any:
    return next(build for build in networks.BUILDERS if build.__name__ == name)()


def ties(fate: Fate) -> dict[tuple[str, int], tuple[str, ...]]:
    return {(tie.place.name, tie.place.axis): tie.chain.nodes for tie in fate.ties}


def test_a_chain_names_the_nodes_between() -> None:
    output, *_ = explain(analysed(case("chain")), "conv1_weight").fates
    assert output.channels == tuple(range(12)) and output.group == 0 and output.group_size == 12
    assert ties(output) == {
        ("conv1_bias", 0): ("conv1",),
        ("bn1_gamma", 0): ("conv1", "bn1"),
        ("bn1_beta", 0): ("conv1", "bn1"),
        ("bn1_moving_mean", 0): ("conv1", "bn1"),
        ("bn1_moving_var", 0): ("conv1", "bn1"),
        ("conv2_weight", 1): ("conv1", "bn1", "activation0", "conv2"),
    }


def test_a_sum_ties_its_branches() -> None:
    found = explain(analysed(case("residual_projection")), "project_weight").fates[0]
    step = next(step for tie in found.ties for step in tie.chain.steps if step.role == "ties")
    assert step.rule == "elemwise_add" and step.text == "lhs[*x], rhs[*x] -> out[*x]"
    assert step.place.startswith("rules/default.prune:")


def test_a_channel_is_followed_to_its_position() -> None:
    found = explain(analysed(case("concat_two")), "fc_weight", 1, 3).fates
    assert [fate.channels for fate in found] == [(3,)]
    weights = [tie for tie in found[0].ties if tie.place.name.endswith("_weight") and tie.place.axis == 0]
    assert weights and all(tie.place.positions for tie in weights)


@pytest.mark.parametrize(
    ("network", "name", "axis", "kind", "reason", "nodes"),
    [
        ("chain", "conv1_weight", 1, "input", "the model input 'data'", ("conv1",)),
        ("chain", "fc_weight", 0, "output", "the model output 'fc'", ("fc",)),
        (
            "inner_output",
            "conv1_weight",
            0,
            "output",
            "the model output 'activation0'",
            ("conv1", "activation0"),
        ),
        ("grey_image", "conv1_weight", 1, "single", "it is the only one", ()),
        (
            "chain",
            "conv1_weight",
            2,
            "rule",
            "nothing else at this node has this axis, "
            "which the rule names in one place only, weight[(g o), i, *k]",
            ("conv1",),
        ),
    ],
)
def test_what_stays_has_a_reason(
    network: str, name: str, axis: int, kind: str, reason: str, nodes: tuple[str, ...]
) -> None:
    (fate,) = explain(analysed(case(network)), name, axis).fates
    assert fate.kept is not None
    assert (fate.kept.kind, fate.kept.reason, fate.kept.chain.nodes) == (kind, reason, nodes)


def opaque() -> Any:
    """A network with an operator that has no rule."""
    symbol = head(mx.sym.sort(relu(conv(image(), "conv1", 12)), axis=1))
    return Case("opaque", symbol, {"data": (2, 3, 8, 8)}, (), ENDS)


def test_an_opaque_rule_is_the_reason() -> None:
    fate = explain(analysed(opaque()), "conv1_weight", 0).fates[0]
    assert fate.kept is not None and fate.kept.node == "sort0"
    assert fate.kept.chain.nodes[:2] == ("conv1", "activation0")


def test_text_names_group_chain_and_rule_lines() -> None:
    text = explanation_text(explain(analysed(case("chain")), "conv2_weight", 0))
    assert text.startswith(
        "conv2_weight, parameter (10, 12, 3, 3)\n\n"
        "Axis 0, channels 0-9: can go; group 1 with 10 units.\n"
        "With channel 0 go\n"
        "  conv2_bias axis 0 [0]\n"
        "      conv2\n"
        "  bn2_gamma, bn2_beta, bn2_moving_mean, bn2_moving_var axis 0 [0]\n"
        "      conv2 → bn2\n"
        "  fc_weight axis 1 [0]\n"
        "      conv2 → bn2 → activation1 → pool → flatten0 → fc\n\n"
        "Rule lines\n"
    )
    lines = [line.split() for line in text.split("Rule lines\n")[1].splitlines()]
    assert [line[:2] for line in lines[:2]] == [["conv2", "Convolution"], ["bn2", "BatchNorm"]]
    assert all(line[2].startswith("rules/default.prune:") for line in lines)


def test_text_of_what_stays() -> None:
    text = explanation_text(explain(analysed(case("inner_output")), "conv1", channel=2))
    assert (
        "Axis 1, channel 2: stays. Tied to the model output 'activation0'.\n  conv1 → activation0\n" in text
    )


def test_json_is_versioned_and_whole() -> None:
    document = json.loads(explanation_json(explain(analysed(case("chain")), "conv2_weight", 0)))
    assert (document["format"], document["version"]) == ("prunec explanation", 1)
    (fate,) = document["fates"]
    assert fate["channels"] == list(range(10)) and fate["group"] == 1
    last = fate["goes_with"][-1]
    assert (last["parameter"], last["axis"], last["positions"]) == ("fc_weight", 1, [0])
    assert [step["node"] for step in last["chain"]][-1] == "fc"
    assert last["chain"][1]["through"] == "conv2" and last["chain"][1]["rule"] == "BatchNorm"


def test_diagrams_name_nodes_and_escape_names() -> None:
    explanation = explain(analysed(case("chain")), "conv2_weight", 0)
    picture = mermaid(explanation_diagram(explanation))
    assert picture.startswith('flowchart LR\n  n0(["conv2_weight<br/>axis 0 [0-9]"])\n')
    assert '["bn2<br/>BatchNorm<br/>rules/default.prune:' in picture and "-->" in picture
    text = dot(explanation_diagram(explanation))
    assert text.startswith("digraph explanation {") and text.rstrip().endswith("}")
    assert 'label="bn2\\nBatchNorm\\nrules/default.prune:' in text


def test_names_cannot_break_out_of_a_diagram() -> None:
    symbol = head(relu(conv(image(), 'a"];x<b>', 12)))
    analysis = analysed(Case("odd", symbol, {"data": (2, 3, 8, 8)}, (), ENDS))
    explanation = explain(analysis, 'a"];x<b>_weight', 0)
    picture = mermaid(explanation_diagram(explanation))
    assert '"];' not in picture.replace('"]\n', "") and "<b>" not in picture and "#34;" in picture
    assert '\\"];x<b>' in dot(explanation_diagram(explanation))


def test_kept_layers_are_listed_worst_first() -> None:
    layers = kept(analysed(case("inner_output")))
    assert [(layer.node, layer.side, layer.stay, layer.total) for layer in layers] == [
        ("conv2", "input channels", 12, 12),
        ("conv1", "output channels", 12, 12),
        ("conv1", "input channels", 3, 3),
        ("fc", "output channels", 5, 5),
    ]
    costs = [layer.parameters * layer.stay / layer.total for layer in layers]
    assert costs == sorted(costs, reverse=True)
    text = kept_text(layers)
    assert "conv2 (Convolution, 1,090 parameters): 12 of 12 input channels stay\n" in text
    assert "  Tied to the model output 'activation0'.\n" in text
    assert len(json.loads(kept_json(layers))["layers"]) == 4
    assert "12 of 12 input channels stay" in mermaid(kept_diagram(layers))


def test_nothing_kept_is_said() -> None:
    assert kept_text(()) == "No layer that the rules know keeps any channels.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("conv1_wieght",), "did you mean `conv1_weight`"),
        (("zzzzzz",), "its names begin with"),
        (("conv1_weight", 4), "'conv1_weight' has no axis 4"),
        (("conv1_weight", 0, 12), "channels count from 0 to 11"),
    ],
)
def test_what_is_not_there(arguments: Any, message: str) -> None:
    with pytest.raises(PrunecError) as caught:
        explain(analysed(case("chain")), *arguments)
    assert message in render_all(caught.value.diagnostics)


def test_ranges() -> None:
    assert ranges((0, 1, 2, 5)) == "0-2, 5"
    assert ranges((0, 4, 8)) == "0-8 by 4"
    assert ranges((3,)) == "3"
    assert ranges((0, 2, 5, 7, 10, 12, 15, 17, 20, 22)).endswith("… 10 in all")


def test_pooled_features_stay_with_the_layer_before() -> None:
    symbol = mx.sym.Flatten(global_pool(relu(conv(image(), "conv1", 12))), name="features")
    fate = explain(analysed(Case("features", symbol, {"data": (2, 3, 8, 8)}, (), ())), "conv1", 1).fates[0]
    assert fate.kept is not None and fate.kept.chain.nodes[-1] == "features"


def branches() -> Any:
    """One layer whose output goes through two branches and stands side by side behind them."""
    stem = conv(image(), "conv1", 12)
    sides = [mx.sym.Activation(stem, act_type=kind, name=kind) for kind in ("relu", "tanh")]
    symbol = head(relu(conv(mx.sym.Concat(*sides, dim=1, name="both"), "conv2", 10)))
    return Case("branches", symbol, {"data": (2, 3, 8, 8)}, (), ENDS)


@pytest.mark.parametrize(("channel", "side"), [(3, "relu"), (15, "tanh")])
def test_a_chain_goes_through_the_branch_that_a_position_comes_from(channel: int, side: str) -> None:
    (fate,) = explain(analysed(branches()), "conv2_weight", 1, channel).fates
    assert ties(fate)["conv1_weight", 0] == ("conv2", "both", side, "conv1")
    (tie,) = (tie for tie in fate.ties if tie.place.name == "conv1_weight")
    assert [(link.node, link.tensor) for link in tie.last_links] == [(side, "conv1")]


def test_several_ways_are_told() -> None:
    explanation = explain(analysed(case("siamese_difference")), "fc_weight", 1, 3)
    (tie,) = explanation.fates[0].ties
    assert tie.place.name == "conv1_weight"
    assert [(link.node, link.tensor) for link in tie.last_links] == [
        ("activation0", "left_conv"),
        ("activation1", "right_conv"),
    ]
    assert (
        "With channel 3 goes\n"
        "  conv1_weight axis 0 [3]\n"
        "      fc → flatten0 → pool → abs0 → _minus0 → activation0 → left_conv\n"
        "      also fc → flatten0 → pool → abs0 → _minus0 → activation1 → right_conv\n\n"
    ) in explanation_text(explanation)
    (entry,) = json.loads(explanation_json(explanation))["fates"][0]["goes_with"]
    assert [step["node"] for step in entry["other_chains"][0]][-2:] == ["activation1", "right_conv"]
    assert entry["last_links"][1] == {"node": "activation1", "tensor": "right_conv"}
    picture = mermaid(explanation_diagram(explanation))
    assert '["left_conv<br/>' in picture and '["right_conv<br/>' in picture


def test_many_ways_are_counted() -> None:
    """A layer that is applied six times: four ways are told, and how many there are besides."""
    weight = mx.sym.var("conv1_weight")
    sides = [
        mx.sym.Activation(
            conv(image(), f"a{k}", 12, weight=weight, no_bias=True), act_type="relu", name=f"r{k}"
        )
        for k in range(6)
    ]
    symbol = head(mx.sym.add_n(*sides, name="sum"))
    analysis = analysed(Case("six", symbol, {"data": (2, 3, 8, 8)}, (), ENDS))
    text = explanation_text(explain(analysis, "fc_weight", 1, 3))
    assert text.count("      also ") == 3
    assert "      and in 2 other ways\n" in text


def test_rows_that_go_whole_are_no_kept_rows() -> None:
    """Behind a pixel shuffle a channel goes with the four that it was made of."""
    x = mx.sym.Reshape(conv(image(), "conv1", 48), shape=(0, -4, 12, 4, 0, 0))
    x = mx.sym.Reshape(x, shape=(0, 0, -4, 2, 2, 0, 0))
    x = mx.sym.transpose(x, axes=(0, 1, 4, 2, 5, 3))
    x = mx.sym.Reshape(x, shape=(0, 0, -3, -3), name="shuffled")
    analysis = analysed(Case("pixels", head(relu(conv(x, "conv2", 10))), {"data": (2, 3, 8, 8)}, (), ENDS))
    (fate,) = explain(analysis, "shuffled", 1).fates
    assert fate.kept is None and fate.channels == tuple(range(12))
    assert ties(fate)["conv1_weight", 0][-1] == "conv1"
    assert [layer.node for layer in kept(analysis)] == ["conv1", "fc"]


def test_groups_of_several_channels_can_go_whole_by_a_policy() -> None:
    x = mx.sym.Convolution(
        conv(image(), "conv1", 12), kernel=(3, 3), num_filter=6, num_group=6, no_bias=True, name="grouped"
    )
    analysis = analysed(Case("rows", head(relu(x)), {"data": (2, 3, 8, 8)}, (), ENDS))
    (fate, *_) = explain(analysis, "grouped", 1).fates
    assert fate.kept is not None and fate.kept.kind == "table"
    assert explanation_text(explain(analysis, "grouped", 1)).startswith(
        "grouped, output of Convolution (2, 6, 6, 6)\n\n"
        "Axis 1, channels 0-5: stay. This is a row of a table of channels (a group, a head), which goes only "
        "with everything in it, and every row loses some of its channels instead (node 'grouped', "
    )
    assert 'help: with --policy, `policy "grouped" { whole rows }` lets whole rows go instead\n' in kept_text(
        kept(analysis)
    )
    layers = json.loads(kept_json(kept(analysis)))["layers"]
    assert any("whole rows" in (reason["advice"] or "") for layer in layers for reason in layer["reasons"])


def test_an_unknown_shape_is_put_down_to_where_it_comes_from() -> None:
    weight = mx.sym.var("w", shape=(5, 9))
    x = mx.sym.Activation(conv(image(), "conv1", 12), act_type="relu", name="mystery")
    symbol = mx.sym.FullyConnected(x, weight=weight, num_hidden=5, no_bias=True, name="fc")
    shapes = {"conv1_weight": (12, 3, 3, 3), "conv1_bias": (12,), "w": (5, 9)}
    data: Any = {"data": (2, 3, 8, 8)}
    json_text = symbol.tojson().replace('"Activation"', '"unheard_of"')
    analysis = analyse(model_of(json_text.encode(), shapes, data), RULES)
    for subject, axis in (("w", 0), ("fc", 0)):
        (fate, *_) = explain(analysis, subject, axis).fates
        assert fate.kept is not None and fate.kept.reason == (
            "the shapes it works on are not known, as none is behind 'mystery' (unheard_of): "
            "no rule knows the operator unheard_of"
        )
        assert fate.kept.advice == "a rule for `unheard_of` would tell the shape behind it"
