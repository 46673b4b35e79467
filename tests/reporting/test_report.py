"""The report as text: what stands in it, its size, its bytes, and names that mean harm."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from markupsafe import Markup
from models import COMMAND, Symbol, compiled, residual

from prunec.reporting.bars import skyline
from prunec.reporting.facts import group_facts, node_groups, tensor_groups
from prunec.reporting.marks import StageView
from prunec.reporting.stages import picture
from prunec.rewriting.layers import Layer

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></style></script><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "a\u202eb\u2066c\u200fd",
    "bell\x07escape\x1b[31mred",
    "line\nfeed\r\ttab",
    "n" * 10_000,
    "&amp;&lt;",
    "",
    "שלום",
]
VOID = {"meta", "link", "input", "br", "img", "wbr"}


class Page(HTMLParser):
    """Elements, their attributes and texts; counts what is opened and not closed."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.open, self.text = [], [], [], []
        self.errors = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, key, value) for key, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, key, value) for key, value in attrs]

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.errors.append(tag)

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text.append(data)


def hostile_model():
    symbol = Symbol()
    at = symbol.variable("data")
    for number, name in enumerate(HOSTILE):
        at = symbol.convolution(name or f"{number}", at, 8)
        at = symbol.node("Activation", f"{name}{number}", [at], act_type="relu")
    symbol.node(HOSTILE[0], "unknown", [at])
    return symbol.json()


@pytest.fixture(scope="module")
def usual():
    return compiled(residual(blocks=9))


@pytest.fixture(scope="module")
def report(usual):
    return usual.report()


def test_the_page_is_well_formed(report):
    page = Page(report)
    assert page.errors == [] and page.open == []
    ids = [value for _, key, value in page.attributes if key == "id"]
    assert len(ids) == len(set(ids))


def test_every_link_leads_somewhere(report):
    page = Page(report)
    ids = {value for _, key, value in page.attributes if key == "id"}
    links = {value for _, key, value in page.attributes if key == "href" and value.startswith("#")}
    assert len(links) > 30
    assert {link[1:] for link in links} <= ids


def test_the_page_needs_nothing_from_outside(report):
    page = Page(report)
    for tag, key, value in page.attributes:
        assert key not in ("src", "srcset", "action", "formaction", "poster", "data")
        if key == "href":
            assert value.startswith("#") or (tag, value) == ("link", "data:,")
    assert "@import" not in report and not re.search(r"url\((?!#)", report)
    assert "http:" not in report and "https:" not in report


def test_only_the_page_s_own_script_may_run(report):
    (script,) = re.findall(r"<script>(.*?)</script>", report, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
        in report
    )
    assert not [key for _, key, _ in Page(report).attributes if key.startswith("on")]


def test_figures_of_the_summary(usual, report):
    text = " ".join(" ".join(Page(report).text).split())
    assert "Parameters 43.2 k → 11.2 k" in text
    assert "Layers 19 of 20 have fewer channels; 1 keeps all" in text
    assert "Groups 10 of 10 lose channels; all exact by the rules" in text
    assert "Not proved yet: the two models were not run." in text
    assert "criterion position , ratio 0.5" in text


def test_every_layer_and_group_is_listed(usual, report):
    page = Page(report)
    ids = {value for _, key, value in page.attributes if key == "id"}
    assert {f"layer-{n}" for n in range(20)} <= ids and "layer-20" not in ids
    assert {f"g{n}" for n in range(10)} <= ids and "g10" not in ids
    text = report.replace("<wbr>", "")
    for parameter in usual.analysis.parameters:
        if parameter.shape != (10, 16):
            assert f"<bdi>{parameter.name}</bdi>" in text


def test_kept_layers_have_their_reason(report):
    assert "the model output &#39;net0_dense&#39;" in report


def test_rule_lines_tie_the_members(usual):
    tensors = tensor_groups(usual.analysis)
    facts = group_facts(
        usual.analysis, usual.pruned, usual.plan.removed, node_groups(usual.analysis, tensors)
    )
    first = facts[0]
    assert (first.units, first.removed, first.name) == (16, 8, "net0_stem_conv_weight")
    nodes = usual.model.graph.nodes
    joins = {nodes[n].name for tie in first.ties if tie.joins for n in tie.nodes}
    assert "net0_stage1_unit0_plus" in joins
    assert all(tie.place.startswith("rules/default.prune:") for tie in first.ties)
    line = int(first.ties[0].place.rpartition(":")[2])
    assert line > 1 and first.ties[0].text
    members = {(member.parameter, member.axis) for member in first.members}
    assert {
        ("net0_stem_conv_weight", 0),
        ("net0_stage1_unit0_conv0_weight", 1),
        ("net0_dense_weight", 1),
    } <= members
    assert all(m.after[m.axis] * 2 == m.before[m.axis] for m in first.members)


def test_how_to_reproduce(usual, report):
    text = " ".join(Page(report).text)
    assert " ".join(COMMAND) in text
    assert usual.model.digest in text and "1.2.3" in text
    assert hashlib.sha256(usual.pruned.model).hexdigest() in text


def test_arguments_of_the_command_are_quoted():
    made = compiled(residual(blocks=1))
    from models import rules

    from prunec.planning.planfile import Origin
    from prunec.reporting.report import render_report

    origin = Origin(made.model.digest, rules().digest, None, True)
    text = render_report(
        made.analysis, made.pruned, made.plan, origin, diff=b"", command=["prunec", "a b;c"], version="1"
    )
    assert "prunec &#39;a b;c&#39;" in text
    assert "<b>strict</b>" in text and "The model does not change." in text


def test_the_network_is_drawn_in_stages(usual, report):
    drawn = picture(usual.analysis)
    assert [stage.first for stage in drawn.stages] == [0, *(stage.end for stage in drawn.stages[:-1])]
    assert drawn.stages[-1].end == len(drawn.boxes)
    assert all(source < target for source, target, _ in drawn.edges)
    operators = sum(1 for node in usual.model.graph.nodes if node.operator is not None)
    assert sum(len(box.nodes) for box in drawn.boxes) == operators + 1
    assert {"stage-1", f"stage-{len(drawn.stages)}"} <= {
        v for _, k, v in Page(report).attributes if k == "id"
    }


@pytest.mark.parametrize(
    ("halves", "titles"),
    [
        (["encoder"], ["data … 2", "layer 3 … 5", "layer 6 … 8", "layer 9 … 11"]),
        (["encoder", "decoder"], ["encoder_layer 0 … 5", "decoder_layer 0 … 5"]),
    ],
)
def test_stages_of_counted_blocks_are_titled_by_their_numbers(halves, titles):
    symbol = Symbol()
    at = symbol.variable("data")
    for half in halves:
        for block in range(12 // len(halves)):
            for part in ("query", "key", "value"):
                at = symbol.convolution(f"net/{half}/layer.{block}/{part}", at, 8)
    found = [stage.title for stage in picture(compiled(symbol.json()).analysis).stages]
    assert found == titles


def test_a_stage_is_as_high_as_what_it_shows():
    def height(**changes):
        view = StageView(0, "stage", 3, 0, (None, None), (), Markup(""))
        return replace(view, **changes).size[1]

    assert height() < height(parameters=(8, 4)) < height(parameters=(8, 4), groups=(1,))
    assert height() < height(groups=(1,)) and height(parameters=(0, 0)) == height()


def test_the_scale_of_few_channels_is_exact():
    layers = [Layer("conv", "Convolution", (2048, 1024), (1, 1), (1, 1), "")]
    assert ">2,048</text>" in skyline(layers, [(2048, 1024)], "Channels")
    assert ">2.05 M</text>" in skyline(layers, [(2_048_000, 1024)], "Parameters")


def test_the_method_is_told_in_words(usual):
    method = {
        "criterion": "l1",
        "global": True,
        "max_ratio": 0.8,
        "reached": {"macs": 1928873148, "params": 0.5},
        "targets": ["macs=0.5", "params=1M"],
        "<b>": None,
    }
    text = " ".join(
        "".join(Page(replace(usual, plan=replace(usual.plan, method=method)).report()).text).split()
    )
    assert (
        "<b> None, criterion l1, global yes, max ratio 0.8, reached macs 1,928,873,148, params 0.5, "
        "targets macs=0.5, params=1M" in text
    )


def test_the_same_inputs_give_the_same_bytes(report):
    assert compiled(residual(blocks=9)).report() == report


def test_a_network_of_a_thousand_nodes_is_small_and_quick():
    made = compiled(residual(blocks=60, per_stage=10))
    assert len(made.model.graph.nodes) >= 1000
    made.report()  # the template is compiled once
    start = time.process_time()
    text = made.report()
    assert time.process_time() - start < 2
    assert len(text.encode()) < 3_000_000


def test_nothing_to_remove_and_nothing_to_draw():
    symbol = Symbol()
    symbol.relu("act", symbol.variable("data"))
    text = compiled(symbol.json()).report()
    assert Page(text).errors == []
    assert "No channel of this model can be removed" in text
    assert "there are no layers to list" in text
    assert "The model does not change." in text


def test_approximate_groups_are_marked():
    symbol = Symbol()
    at = symbol.convolution("a", symbol.variable("data"), 8)
    gamma, beta = symbol.variable("norm_gamma"), symbol.variable("norm_beta")
    at = symbol.node(
        "LayerNorm", "norm", [symbol.node("transpose", "t", [at], axes=(0, 2, 3, 1)), gamma, beta]
    )
    at = symbol.node("transpose", "back", [at], axes=(0, 3, 1, 2))
    symbol.convolution("b", at, 4)
    text = compiled(symbol.json()).report()
    assert "<b>Approximate:</b>" in text and "all exact by the rules" not in text
    assert '<b class="badge">approximate</b>' in text
    assert "norm (LayerNorm):" in text


# --- hostile names ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile():
    return compiled(hostile_model(), name="net-symbol.json").report()


def test_names_never_become_markup(hostile):
    page = Page(hostile)
    assert page.errors == []
    assert page.tags.count("script") == 1 and "img" not in page.tags and page.tags.count("style") == 1
    assert not [key for _, key, _ in page.attributes if key.startswith("on")]
    assert "{{ 7 * 7 }}" in "".join(page.text) and "49" not in re.findall(r"<bdi>(.*?)</bdi>", hostile)


def test_names_never_reorder_or_control_text(hostile):
    assert "\\u202e" in hostile and "\\u001b" in hostile and "\\u0007" in hostile
    bad = {c for c in hostile if not c.isprintable() and c not in "\n\t\xa0"}
    assert bad == set()


def test_long_names_are_shortened(hostile):
    assert "n" * 500 not in hostile
    assert len(hostile) < 1_500_000


def test_a_hostile_operator_is_shown_as_text(hostile):
    assert "no rule knows the operator &lt;script&gt;alert(1)&lt;/script&gt;" in hostile
