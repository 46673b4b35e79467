"""Reports and comparisons of public networks, where the corpus stands beside the checkout."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from models import compiled, read, rules
from test_report import Page

from prunec.reporting.structure import compare
from prunec.reporting.structure_views import as_markdown

ZOO = Path(__file__).resolve().parents[3] / "shared" / "corpus" / "zoo"
NETWORKS = {
    "resnet50_v1b": 224,
    "shufflenet_v2": 224,
    "ssd_512_mobilenet1.0_voc": 512,
    "yolo3_mobilenet1.0_voc": 416,
    "densenet121": 224,
    "resnext50_32x4d": 224,
}

pytestmark = pytest.mark.skipif(not ZOO.is_dir(), reason="needs the corpus of networks beside the checkout")


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    data = (ZOO / f"{request.param}-symbol.json").read_bytes()
    side = NETWORKS[request.param]
    shape = (1, 3, side, side)
    return data, shape, compiled(data, shape=shape, name=f"{request.param}-symbol.json")


def test_the_report_is_whole_small_and_quick(network):
    _, _, made = network
    made.report()  # the template is compiled once
    start = time.process_time()
    text = made.report()
    assert time.process_time() - start < 2
    assert len(text.encode()) < 3_000_000
    page = Page(text)
    assert page.errors == [] and page.open == []
    ids = {value for _, key, value in page.attributes if key == "id"}
    assert {v[1:] for _, k, v in page.attributes if k == "href" and v.startswith("#")} <= ids


def test_every_difference_is_put_down_to_what_was_removed(network):
    data, shape, made = network
    comparison = compare(read(data, shape), read(made.pruned.model, shape), rules(), made.analysis)
    assert comparison.changed and all(change.groups for change in comparison.changed)
    removed = {g.number: int(made.plan.removed[g.units].sum()) for g in made.analysis.solution.groups}
    assert not any(group.conflicting for group in comparison.groups)
    told = {group.number: group.gone for group in comparison.groups if group.gone is not None}
    assert told == {number: removed[number] for number in told}
    assert len(told) > len(comparison.groups) / 2
    assert len(as_markdown(comparison, "a", "b").encode()) < 65_536
