"""Comparing the structure of two models, and the three forms the result takes."""

from __future__ import annotations

import json

import pytest
from models import Symbol, compiled, read, residual, rules

from prunec.reporting.structure import compare
from prunec.reporting.structure_views import as_json, as_markdown, as_text


def _two_layers(filters=8, name="conv", extra=False, classes=4, act="relu"):
    symbol = Symbol()
    at = symbol.convolution(name, symbol.variable("data"), filters)
    at = symbol.node("Activation", "act", [at], act_type=act)
    if extra:
        at = symbol.relu("extra", at)
    flat = symbol.node("Flatten", "flat", [at])
    symbol.node(
        "FullyConnected", "fc", [flat, symbol.variable("fc_weight")], num_hidden=classes, no_bias=True
    )
    return symbol.json()


def _compare(before, after, shape=(1, 3, 8, 8), explain=True):
    first, second = read(before, shape), read(after, shape)
    analysis = compiled(before, shape=shape).analysis if explain else None
    return compare(first, second, rules(), analysis)


def test_a_model_is_the_same_as_itself():
    comparison = _compare(residual(), residual(), (1, 3, 32, 32))
    assert comparison.same
    assert as_text(comparison, "a", "b") == "a -> b\nnothing differs in what the models compute\n"
    assert "Nothing differs in what the models compute." in as_markdown(comparison, "a", "b")
    assert json.loads(as_json(comparison, "a", "b"))["same"] is True


def test_layout_and_training_hints_do_not_count():
    data = residual()
    document = json.loads(data)
    document["nodes"][1]["attrs"] = {"__lr_mult__": "2.0"}
    assert _compare(data, json.dumps(document).encode(), (1, 3, 32, 32)).same


def test_pruning_is_put_down_to_its_groups():
    small = compiled(residual())
    comparison = _compare(residual(), small.pruned.model, (1, 3, 32, 32))
    assert [(g.number, g.name, g.units, g.gone) for g in comparison.groups] == [
        (0, "net0_stem_conv_weight", 16, 8),
        (1, "net0_stage1_unit0_conv0_weight", 16, 8),
        (2, "net0_stage1_unit1_conv0_weight", 16, 8),
        (3, "net0_stage1_unit2_conv0_weight", 16, 8),
    ]
    assert all(change.groups for change in comparison.changed)
    assert not comparison.removed and not comparison.added and comparison.outputs is None
    by_name = {change.name: change for change in comparison.changed}
    assert by_name["net0_stage1_unit0_conv0"].groups == (1,)
    assert by_name["net0_stage1_unit0_conv0_weight"].groups == (1, 0)
    assert by_name["net0_stage1_unit0_plus"].attributes == ()
    before = sum(
        p.shape[0] * (p.shape[1] if len(p.shape) > 1 else 1) * (9 if len(p.shape) == 4 else 1)
        for p in small.analysis.parameters
    )
    assert comparison.parameters[0] == before


def test_text_names_what_changed_and_why():
    small = compiled(_two_layers(), shape=(1, 3, 8, 8))
    comparison = _compare(_two_layers(), small.pruned.model)
    assert as_text(comparison, "a.json", "b.json") == (
        "a.json -> b.json\n"
        "of 7 nodes 5 differ, none removed, none added\n"
        "parameters: 2,264 -> 1,132 (-50 %)\n"
        "\n"
        "group 0, conv_weight: 8 -> 4 channels\n"
        "  conv_weight (parameter): (8, 3, 3, 3) -> (4, 3, 3, 3)\n"
        "  conv (Convolution): num_filter 8 -> 4; (1, 8, 8, 8) -> (1, 4, 8, 8)\n"
        "  fc_weight (parameter): (4, 512) -> (4, 256)\n"
        "  passed on by act, flat\n"
    )


def test_markdown_names_what_changed_and_why():
    small = compiled(_two_layers(), shape=(1, 3, 8, 8))
    text = as_markdown(_compare(_two_layers(), small.pruned.model), "a.json", "b.json")
    assert text.startswith("### `a.json` → `b.json`\n\nOf 7 nodes 5 differ, none removed, none added.\n")
    assert "**Parameters:** 2,264 → 1,132 (−50 %)" in text
    assert "| 0 `conv_weight` | 8 → 4 | 3 and 2 |" in text
    assert "<details><summary>3 nodes and parameters with new attributes or shapes</summary>" in text
    assert "| `conv` | Convolution | `num_filter 8 -> 4; (1, 8, 8, 8) -> (1, 4, 8, 8)` |" in text


def test_json_holds_everything():
    small = compiled(_two_layers(), shape=(1, 3, 8, 8))
    document = json.loads(as_json(_compare(_two_layers(), small.pruned.model), "a.json", "b.json"))
    assert (document["format"], document["version"]) == ("prunec diff", 1)
    assert document["groups"] == [
        {"group": 0, "name": "conv_weight", "units": 8, "gone": 4, "conflicting": False}
    ]
    assert document["parameters"] == [2264, 1132]
    (conv,) = [change for change in document["changed"] if change["name"] == "conv"]
    assert conv["attributes"] == [{"name": "num_filter", "before": 8, "after": 4, "present": [True, True]}]
    assert conv["shapes"] == [{"output": 0, "before": [1, 8, 8, 8], "after": [1, 4, 8, 8]}]
    assert len(document["changed"]) == 5


def test_nodes_added_and_removed():
    comparison = _compare(_two_layers(), _two_layers(extra=True))
    assert comparison.added == (("extra", "Activation"),) and comparison.removed == ()
    text = as_text(comparison, "a", "b")
    assert "added\n  + extra (Activation)\n" in text
    assert "flat (Flatten): input 0 act -> extra" in text
    back = _compare(_two_layers(extra=True), _two_layers())
    assert "removed\n  - extra (Activation)\n" in as_text(back, "a", "b")
    assert "**Removed:** `extra` (Activation)" in as_markdown(back, "a", "b")


def test_an_operator_that_changed_is_not_put_down_to_pruning():
    document = json.loads(_two_layers())
    for node in document["nodes"]:
        if node["name"] == "flat":
            node.update(op="Reshape", attrs={"shape": "(0, -1)"})
    comparison = _compare(_two_layers(), json.dumps(document).encode())
    (change,) = comparison.changed
    assert change.operators == ("Flatten", "Reshape") and change.groups == ()
    assert "flat (Flatten): operator Flatten -> Reshape; shape absent -> (0, -1)" in as_text(
        comparison, "a", "b"
    )


def test_an_attribute_that_changed():
    comparison = _compare(_two_layers(), _two_layers(act="tanh"))
    assert "  act (Activation): act_type relu -> tanh\n" in as_text(comparison, "a", "b")


def test_outputs_of_the_model():
    symbol = Symbol()
    first = symbol.convolution("one", symbol.variable("data"), 4)
    symbol.relu("two", first)
    comparison = _compare(symbol.json(), symbol.json(head=first))
    assert comparison.outputs == (("two",), ("one",))
    assert "outputs of the model\n  - two\n  + one\n" in as_text(comparison, "a", "b")
    assert "**The model's outputs differ:** `two` → `one`" in as_markdown(comparison, "a", "b")


def test_nodes_of_one_name_are_matched_in_their_order():
    def model(second):
        symbol = Symbol()
        at = symbol.node(
            "Activation", "act", [symbol.convolution("c", symbol.variable("data"), 4)], act_type="relu"
        )
        symbol.node("Activation", "act", [at], act_type=second)
        return symbol.json()

    (change,) = _compare(model("tanh"), model("sigmoid")).changed
    assert [(a.before, a.after) for a in change.attributes] == [("tanh", "sigmoid")]


def test_the_counter_of_a_network_is_left_out_of_names():
    comparison = _compare(residual(prefix="net0_"), residual(prefix="net7_"), (1, 3, 32, 32))
    assert comparison.same and comparison.scopes == ("net0", "net7")
    small = compiled(residual(prefix="net7_"))
    comparison = _compare(residual(prefix="net0_"), small.pruned.model, (1, 3, 32, 32))
    assert not comparison.removed and not comparison.added
    assert [group.gone for group in comparison.groups] == [8, 8, 8, 8]
    assert (
        "names begin with net0 in the first and with net7 in the second, and are matched without"
        in as_text(comparison, "a", "b")
    )


def test_without_shapes_attributes_are_compared_all_the_same():
    small = compiled(_two_layers(), shape=(1, 3, 8, 8))
    comparison = _compare(_two_layers(), small.pruned.model, shape=None, explain=False)
    assert comparison.parameters == (None, None)
    assert "conv (Convolution): num_filter 8 -> 4" in as_text(comparison, "a", "b")


def test_a_model_that_contradicts_the_rules_is_compared_all_the_same():
    document = json.loads(_two_layers())
    document["nodes"][1]["attrs"] = {"__shape__": "(8, 99, 3, 3)"}
    comparison = _compare(_two_layers(), json.dumps(document).encode())
    assert [note.code for note in comparison.notes] == ["P404"]
    text = as_text(comparison, "a", "b")
    assert "note: " in text and "node 'conv' (Convolution)" in text


def test_groups_that_lost_unequally_are_said_to_have():
    def model(filters, channels):
        symbol = Symbol()
        data = symbol.variable("data")
        weight = symbol.variable("a_weight", __shape__=f"({filters}, 3, 3, 3)")
        gamma = symbol.variable("gamma", __shape__=f"({channels},)")
        at = symbol.node("Convolution", "a", [data, weight], kernel=(3, 3), num_filter=filters, no_bias=True)
        symbol.convolution("b", symbol.node("LeakyReLU", "act", [at, gamma], act_type="prelu"), 4)
        return symbol.json()

    comparison = _compare(model(8, 8), model(6, 5))
    (group,) = comparison.groups
    assert group.gone is None and group.conflicting
    expected = "group 0, a_weight: 8 channels, not equally many gone from all its parameters\n"
    assert expected in as_text(comparison, "a", "b")


def test_groups_of_a_grouped_convolution():
    symbol = Symbol()
    at = symbol.convolution("a", symbol.variable("data"), 16)
    weight = symbol.variable("g_weight")
    shape = {"kernel": (3, 3), "pad": (1, 1), "num_filter": 32, "num_group": 4, "no_bias": True}
    symbol.convolution("b", symbol.node("Convolution", "g", [at, weight], **shape), 4)
    before = symbol.json()
    small = compiled(before, shape=(1, 3, 8, 8))
    comparison = _compare(before, small.pruned.model)
    gone = {g.number: int(small.plan.removed[g.units].sum()) for g in small.analysis.solution.groups}
    assert {group.number: group.gone for group in comparison.groups} == gone
    assert not any(group.conflicting for group in comparison.groups)


HOSTILE = "</summary><script>alert(1)</script>`|@someone [x](http://y) \u202e\x1b[31m\n"


@pytest.mark.parametrize("name", [HOSTILE, "n" * 10_000])
def test_hostile_names_are_harmless_in_text_and_markdown(name):
    small = compiled(_two_layers(name=name), shape=(1, 3, 8, 8))
    comparison = _compare(_two_layers(name=name), small.pruned.model)
    text, markdown = as_text(comparison, name, name), as_markdown(comparison, name, name)
    for form in (text, markdown):
        assert not any(c != "\n" and not c.isprintable() for c in form)
        assert max(map(len, form.splitlines())) < 1200
    for line in markdown.splitlines():
        outside = "".join(line.split("`")[::2])
        assert "<script" not in outside and "@someone" not in outside and "](" not in outside
        assert line.count("`") % 2 == 0
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") == 4
    assert json.loads(as_json(comparison, name, name))["before"] == name


def test_markdown_of_a_large_difference_fits_a_comment():
    before = residual(blocks=120)
    small = compiled(before)
    comparison = _compare(before, small.pruned.model, (1, 3, 32, 32))
    assert len(as_markdown(comparison, "a", "b").encode()) < 65_536


def test_the_same_comparison_gives_the_same_bytes():
    small = compiled(residual()).pruned.model
    for form in (as_text, as_json, as_markdown):
        texts = {form(_compare(residual(), small, (1, 3, 32, 32)), "a", "b") for _ in range(2)}
        assert len(texts) == 1
