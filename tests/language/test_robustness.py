"""Whatever the text, the outcome is rules or messages, never another exception."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prunec.authoring.reference_pages import reference_page
from prunec.language.check import check
from prunec.language.library import RuleSet
from prunec.language.parser import holds_policies, parse
from prunec.language.printer import format_file
from prunec.language.syntax import RuleFile
from prunec.support.diagnostics import PrunecError, Source, render_all

from .trees import files

WORDS = """
op A { } [ ] ( ) , ; -> = == ! + - * *x / ~ @ ? c n data out f( keep mixes zero when in not and or "t" " ## #
macs because opaque as specialises 1 -1 2.5 1e9 None True window( reverse( pick( size( count(
"""
PIECES = ["\n", "\nop ", " ", "\t", "\0", "\u00e9", "op A { data[c] -> out[c] ", "op B(k) when k "]
TOKENS = WORDS.split() + PIECES

quick = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))


@quick
@given(st.lists(st.sampled_from(TOKENS), max_size=25).map(" ".join) | st.text(max_size=40))
def test_any_text_gives_rules_or_messages(text: str) -> None:
    source = Source("rules.prune", text)
    try:
        file = parse(source)
    except PrunecError as error:
        assert render_all(error.diagnostics).startswith("error[P1")
        return
    assert parse(Source("again", format_file(file))) == file
    render_all(check([file]))
    assert RuleSet([(source, True)]).all_rules() == file.rules


@pytest.mark.slow
@quick
@given(files)
def test_any_tree_can_be_checked(file: RuleFile) -> None:
    printed = parse(Source("printed.prune", format_file(file)))
    render_all(check([printed]))


@pytest.mark.parametrize(
    "text",
    [
        "op A(k\n" + "\n##ta }\n" * 200,  # a rule that ends too early, before many comments
        "op A { data[c] -> out[c] }\n" + "# a # b " * 5000 + "\n}",
        "# a # b\n" * 200 + "# a # b " * 5000 + "\npolic",
        '# "a" # "b" ' * 5000,
        "# " + "-" * 200_000 + "x\nop A { data[c] -> out[c] }\n",
    ],
    ids=["end", "rest", "policy", "comments", "section"],
)
def test_there_is_one_way_to_read_comments(text: str) -> None:
    """Were there many, this would take longer than anybody waits."""
    source = Source("t.prune", text)
    assert not holds_policies(source)
    with suppress(PrunecError):
        RuleSet([(source, True)]).all_rules()
    with suppress(PrunecError):
        reference_page(parse(source))
