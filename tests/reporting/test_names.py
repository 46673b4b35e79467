"""Names and numbers as they are shown."""

from __future__ import annotations

import pytest

from prunec.reporting.marks import chip, text_of
from prunec.reporting.names import (
    amount,
    ending,
    percent_less,
    scopes,
    shown,
    size_text,
    usual_scope,
    without_scopes,
)


def test_long_names_lose_their_middle():
    text = shown("a" * 5000 + "_weight")
    assert len(text) == 80
    assert text.startswith("aaaa") and text.endswith("_weight") and "…" in text


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\n", "\u202e", "\u200f", "\u2028", "\ud800"])
def test_characters_that_act_are_written_out(character):
    assert shown(f"a{character}b") == f"a\\u{ord(character):04x}b"


def test_letters_of_other_scripts_stay():
    assert shown("שלום_größe_層") == "שלום_größe_層"


def test_text_for_the_page_is_escaped_and_apart():
    assert text_of("<script>alert(1)</script>") == ("<bdi>&lt;script&gt;alert(1)&lt;/<wbr>script&gt;</bdi>")
    assert text_of("a_b/c.d") == "<bdi>a_<wbr>b/<wbr>c.<wbr>d</bdi>"


def test_groups_differ_by_more_than_colour():
    assert 'class="chip h1"' in chip(1) and ">G1<" in chip(1)
    assert 'class="chip h1 p1"' in chip(9) and ">G9<" in chip(9)


def test_scopes():
    assert scopes("net0_stage1/conv.0:x-y") == ("net0", "stage1", "conv", "0", "x", "y")
    assert usual_scope([("a", "b"), ("a", "c"), ("a", "d"), ("z",)]) == ("a",)
    assert usual_scope([]) == ()
    assert without_scopes("net0_stage1_conv", 1) == "stage1_conv"
    assert without_scopes("net0_", 1) == "net0_"
    assert without_scopes("_plus0", 1) == "_plus0"


def test_the_end_of_a_name():
    assert ending("shuffleunitv22_slice_axis0", 16) == "…v22_slice_axis0"
    assert ending("short", 16) == "short"
    assert ending("a\u202e", 16) == "a\\u202e"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "?"),
        (0, "0"),
        (999, "999"),
        (1024, "1.02 k"),
        (25_610_152, "25.6 M"),
        (4_089_184_256, "4.09 G"),
    ],
)
def test_amounts(number, text):
    assert amount(number) == text


def test_changes_in_percent():
    assert percent_less(200, 100) == "−50 %"
    assert percent_less(1000, 955) == "−4.5 %"
    assert percent_less(5, 5) == "same"
    assert percent_less(None, 5) == "" and percent_less(0, 5) == ""


def test_shapes():
    assert size_text((1, 3, None)) == "1×3×?"
    assert size_text(()) == "scalar"
    assert size_text(None) == "?"
