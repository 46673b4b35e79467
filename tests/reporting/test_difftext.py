"""The diff on the page."""

from __future__ import annotations

import json
import re

import pytest
from models import Symbol

from prunec.frontends.mxnet.headings import headings
from prunec.frontends.mxnet.symbol import read_symbol
from prunec.reporting.difftext import LINE_LIMIT, WHOLE_LIMIT, diff_view
from prunec.rewriting.unified_diff import unified_diff


def _plain(markup):
    return re.sub(r"<[^>]*>", "", markup)


def test_changed_lines_are_marked_where_they_differ():
    old = b'{\n "a": 1,\n "num_filter": "64",\n "b": 2\n}\n'
    view = diff_view(unified_diff("m.json", old, old.replace(b"64", b"32")))
    (hunk,) = view.hunks
    assert view.changed == 1 and view.left_out == 0
    assert hunk.header.startswith("@@ -1,5 +1,5")
    key = "<i>&#34;num_filter&#34;</i>"
    assert f"<del>- {key}: &#34;<mark>64</mark>&#34;,\n</del>" in hunk.body
    assert f"<ins>+ {key}: &#34;<mark>32</mark>&#34;,\n</ins>" in hunk.body


def test_lines_of_a_run_stand_beside_their_counterparts():
    old = b"a 64\nb 64\nc 64\n"
    (hunk,) = diff_view(unified_diff("m.txt", old, old.replace(b"64", b"32"))).hunks
    assert _plain(hunk.body) == "-a 64\n+a 32\n-b 64\n+b 32\n-c 64\n+c 32\n"
    (hunk,) = diff_view(unified_diff("m.txt", b"a 64\nb 64\n", b"a 32\n")).hunks
    assert _plain(hunk.body) == "-a 64\n-b 64\n+a 32\n"


def test_the_text_is_that_of_the_diff():
    old = "".join(f' "line{i}": "{i % 7}",\n' for i in range(60)).encode()
    diff = unified_diff("m.json", old, old.replace(b'"3"', b'"30"'))
    view = diff_view(diff)
    lines = [line for line in diff.decode().split("\n") if line.startswith((" ", "+", "-", "@"))][2:]
    shown = [line for hunk in view.hunks for line in [hunk.header, *_plain(hunk.body).split("\n")] if line]
    assert [line.replace('"', "&#34;") if line[0] != "@" else line for line in lines] == shown


def test_markup_in_a_model_stays_text():
    old = b'"<script>alert(1)</script>": "&amp;1"\n'
    (hunk,) = diff_view(unified_diff("m.json", old, old.replace(b"1)", b"2)"))).hunks
    assert "<script" not in hunk.body
    assert "&lt;script&gt;alert(<mark>1</mark>)" in hunk.body
    assert "&amp;amp;1" in hunk.body


def test_characters_that_act_are_written_out():
    old = '"a\u202eb\x1b[31m": 1\n'.encode()
    (hunk,) = diff_view(unified_diff("m.json", old, old.replace(b"1\n", b"2\n"))).hunks
    assert "\u202e" not in hunk.body and "\x1b" not in hunk.body
    assert "a\\u202eb\\u001b[" in hunk.body


def test_bytes_that_are_no_text_are_written_out():
    (hunk,) = diff_view(b"@@ -1 +1 @@\n-\xff\n+\xfe\n").hunks
    assert "\\xf<mark>f</mark>" in hunk.body and "\\xf<mark>e</mark>" in hunk.body


def test_a_model_in_one_line_is_shown_around_its_change():
    filler = b"x" * 100_000
    old = b'{"a": "' + filler + b'", "num_filter": "64", "b": "' + filler + b'"}'
    (hunk,) = diff_view(unified_diff("m.json", old, old.replace(b"64", b"32"))).hunks
    assert len(hunk.body) < 6 * LINE_LIMIT
    assert "<mark>64</mark>" in hunk.body and "<mark>32</mark>" in hunk.body
    assert "…" in hunk.body


def test_a_very_long_diff_ends():
    old = b"".join(b'"k%d": "%s",\n\n\n\n\n\n\n\n' % (i, b"a" * 300) for i in range(4000))
    view = diff_view(unified_diff("m.json", old, old.replace(b"aaa", b"bbb")))
    assert view.changed == 4000
    assert view.left_out == 4000 - len(view.hunks) > 0
    assert sum(len(hunk.body) for hunk in view.hunks) < WHOLE_LIMIT + 10_000


def test_no_diff():
    assert diff_view(b"") == diff_view(unified_diff("m.json", b"a", b"a"))
    assert diff_view(b"").hunks == ()


def test_a_missing_line_end_does_not_part_a_line_from_its_counterpart():
    (hunk,) = diff_view(unified_diff("m.json", b'"a": 1', b'"a": 2')).hunks
    assert "<mark>1</mark>" in hunk.body and "<mark>2</mark>" in hunk.body
    assert hunk.body.count("No newline at end of file") == 1


@pytest.mark.parametrize("key", ["attrs", "param"])
def test_a_hunk_names_the_node_it_changes(key):
    symbol = Symbol()
    at = symbol.variable("data")
    for name in ("conv0", "\u202e<b>\n1", "c" * 500):
        at = symbol.convolution(name, at, 64)
    document = json.loads(symbol.json())
    for node in document["nodes"]:
        # In old files attributes stand before the name.
        own = node.pop("attrs")
        name, inputs = node.pop("name"), node.pop("inputs")
        node.update(
            {key: own, "name": name, "inputs": inputs} if key == "param" else {"name": name, key: own}
        )
        node["inputs"] = inputs
    data = json.dumps(document, indent=2).encode()
    new = data.replace(b'"64"', b'"32"')
    diff = unified_diff("m.json", data, new, headings(read_symbol(data, "m.json")))
    assert [hunk.node for hunk in diff_view(diff).hunks] == ["conv0", "\\u202e<b>\\u000a1", "c" * 80 + "…"]
    assert [hunk.node for hunk in diff_view(unified_diff("m.json", data, new)).hunks] == [""] * 3


def test_a_hunk_of_many_nodes_in_one_line_names_none():
    symbol = Symbol()
    symbol.convolution("conv0", symbol.variable("data"), 64)
    data = symbol.json(indent=None)
    diff = unified_diff("m.json", data, data.replace(b'"64"', b'"32"'), headings(read_symbol(data, "m.json")))
    assert [hunk.node for hunk in diff_view(diff).hunks] == [""]
    assert b"\n@@ -1 +1 @@\n" in diff
