"""Reasons that a file names once."""

from __future__ import annotations

from pathlib import Path

import pytest

from prunec.authoring.reference_pages import reference_page
from prunec.language.canonical import print_rule
from prunec.language.check import check
from prunec.language.library import load
from prunec.language.parser import parse
from prunec.language.printer import format_file
from prunec.language.reasons import told_in_full
from prunec.language.syntax import Keep, Rule
from prunec.support.diagnostics import PrunecError, Source

TEXT = """\
# What is said often.
reason chosen = "by position"
reason  shut="nothing is known"

op a { d[c] -> o[c]  keep c because chosen }

op b {
  d[*x] -> o[*x]
  keep *x because "in words"
  mixes *x because chosen
}
op c opaque because shut
"""


def texts(rule: Rule) -> list[str]:
    given = [s.because for s in rule.statements if isinstance(s, Keep)]
    return [reason.text for reason in (*given, rule.opaque) if reason is not None]


@pytest.mark.parametrize(
    "text", [TEXT, TEXT.replace("reason chosen", "op z { d[c] -> o[c] }\nreason chosen")]
)
def test_rules_have_the_texts_of_their_reasons(text: str, tmp_path: Path) -> None:
    read = {rule.label: rule for rule in parse(Source("r.prune", text)).rules}
    (tmp_path / "r.prune").write_text(text, encoding="utf-8")
    # The first time parsed, the second from the cache.
    for rules in (read, *({r.label: r for r in load([str(tmp_path / "r.prune")]).all_rules()},) * 2):
        assert [texts(rules[label]) for label in "abc"] == [
            ["by position"],
            ["in words"],
            ["nothing is known"],
        ]


def test_built_in_rules_have_all_their_reasons() -> None:
    for library in ("default", "onnx"):
        assert all(text for rule in load((library,)).all_rules() for text in texts(rule))


def test_files_keep_names_and_pages_tell_reasons_in_full() -> None:
    file = parse(Source("r.prune", TEXT))
    assert format_file(file) == TEXT.replace("reason  shut=", "reason shut = ").replace(
        "}\nop c", "}\n\nop c"
    )
    assert "because chosen" in print_rule(file.rules[0])
    assert 'because "by position"' in print_rule(told_in_full(file.rules[0]))
    page = reference_page(file)
    assert "chosen" not in page and page.count("by position") == 2 and "kept: nothing is known." in page


def test_a_reason_that_none_is_called_is_told() -> None:
    (message,) = check([parse(Source("r.prune", TEXT.replace("because chosen }", "because chose }")))])
    assert message.code == "P228" and message.help == "did you mean `chosen`?"
    assert message.annotations[0].span.text == "chose"
    with pytest.raises(PrunecError):
        parse(Source("r.prune", "reason chosen = by_position"))
