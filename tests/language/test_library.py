"""Finding and loading rule files."""

from __future__ import annotations

from pathlib import Path

import pytest

from prunec.language import library
from prunec.language.check import check
from prunec.language.library import RuleSet, built_in, load, locate
from prunec.language.parser import parse, read_source
from prunec.language.resources import data_folder
from prunec.support.diagnostics import PrunecError, Source, render_all

TRICKY = """\
# A file.
## Doc of A.
op A, A2(x = ")", y = (), z = "op B") as first when x == 1 { d[c] -> o[c] }
op B(x, # with a comment
  y) when x == y { d[c] -> o[c] }
op C { d[c] -> o[c] } op D { d[c] -> o[c] }
op E
  specialises A, C
  opaque because "op"
"""


def rule_set(text: str, name: str = "rules/built.prune") -> RuleSet:
    return RuleSet([(Source(name, text), True)])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and a folder of built-in rules of its own."""
    rules = tmp_path / "data"
    rules.mkdir()
    (rules / "base.prune").write_text("op A(k) { d[c] -> o[c]  k = c }\nop B { d[c] -> o[c] }\n", "utf-8")
    (rules / "other.prune").write_text("op C { d[c] -> }\n", "utf-8")
    monkeypatch.setattr(library, "data_folder", lambda kind: rules)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


# --- finding ---


def test_locate_prefers_a_file_to_a_built_in_name(folder: Path) -> None:
    assert locate("base").name == "base.prune"
    (folder / "base").write_text("", "utf-8")
    assert locate("base") == Path("base")


def test_locate_finds_folders_of_rules(folder: Path) -> None:
    (folder / "mine").mkdir()
    with pytest.raises(PrunecError, match="P110: there is no rule file mine"):
        locate("mine")
    (folder / "mine" / "one.prune").write_text("op Z { d[c] -> o[c] }", "utf-8")
    (folder / "mine" / "two.prune").write_text("op Y { d[c] -> o[c] }", "utf-8")
    assert load(["mine"]).operators() == ("Z", "Y")


@pytest.mark.parametrize("name", ["bas", "x\0y", "x" * 5000, ""])
def test_a_name_that_is_nothing(folder: Path, name: str) -> None:
    with pytest.raises(PrunecError) as caught:
        locate(name)
    message = render_all(caught.value.diagnostics)
    assert "error[P110]: there is no rule file" in message
    assert "note: built-in rule files: base, other" in message
    assert ("did you mean `base`?" in message) == (name == "bas")


def test_the_checkout_has_rules_and_grammar() -> None:
    assert (data_folder("grammar") / "prune.lark").is_file()
    assert built_in()


# --- lazy loading ---


def test_headers_are_read_without_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    full = parse(Source("rules/built.prune", TRICKY)).rules
    lazy = rule_set(TRICKY)
    assert lazy.operators() == ("A", "A2", "B", "C", "D", "E")
    assert lazy.all_rules() == full
    assert [rule.label for rule in lazy.label("first")] == ["first"]
    assert lazy.label("A2") == lazy.rules_for("A2") == (full[0],)
    assert lazy.label("nothing") == lazy.rules_for("nothing") == ()


def test_only_rules_asked_for_are_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    original = library.read_chunk

    def counting(source: Source, start: int, end: int) -> object:
        parsed.append(source.text[start:end])
        return original(source, start, end)

    monkeypatch.setattr(library, "read_chunk", counting)
    rules = rule_set("op A { d[c] -> o[c] }\nop A as b { d[c] -> o[c] }\nop C { broken }\n")
    assert parsed == []
    assert [rule.label for rule in rules.rules_for("A")] == ["A", "b"]
    assert rules.rules_for("A") is not None and len(parsed) == 2


def test_a_syntax_error_shows_when_the_rule_is_asked_for() -> None:
    rules = rule_set("op A { d[c] -> o[c] }\nop C { broken }\nop D { broken }\n")
    assert rules.operators() == ("A", "C", "D")
    with pytest.raises(PrunecError, match=r"P101: `}` cannot stand here$"):
        rules.rules_for("C")
    with pytest.raises(PrunecError) as caught:
        rules.all_rules()
    places = [d.annotations[0].span.place for d in caught.value.diagnostics]
    assert places == ["rules/built.prune:2:15", "rules/built.prune:3:15"]


@pytest.mark.parametrize("name", built_in())
def test_built_in_files_load_lazily_as_they_do_in_full(name: str) -> None:
    full = parse(read_source(locate(name))).rules
    rules = load([name])
    operators = dict.fromkeys(operator.name for rule in full for operator in rule.operators)
    assert rules.operators() == tuple(operators)
    for operator in operators:
        expected = tuple(rule for rule in full if operator in {o.name for o in rule.operators})
        assert rules.rules_for(operator) == expected
    assert rules.all_rules() == full


@pytest.mark.parametrize("name", built_in())
def test_built_in_files_have_no_errors(name: str) -> None:
    found = check([parse(read_source(locate(name)))])
    assert render_all(d for d in found if d.severity.value == "error") == ""


def test_the_digest_is_that_of_the_texts() -> None:
    assert rule_set("op A { d[c] -> o[c] }", "x").digest == rule_set("op A { d[c] -> o[c] }", "y").digest
    assert rule_set("op A { d[c] -> o[c] }").digest != rule_set("op B { d[c] -> o[c] }").digest
    assert len(rule_set("").digest) == 64


# --- the user's files ---


def test_files_of_the_user_are_parsed_and_checked_at_once(folder: Path) -> None:
    (folder / "mine.prune").write_text("op Z { d[c -> o[c] }\nop Y { d[c] -> o[c] }\nop X { d[] }\n", "utf-8")
    with pytest.raises(PrunecError) as caught:
        load(["base", "mine.prune"])
    assert [d.annotations[0].span.place for d in caught.value.diagnostics] == [
        "mine.prune:1:12",
        "mine.prune:3:12",
    ]
    (folder / "mine.prune").write_text("op Z { d[c] -> o[c]  zero t }", "utf-8")
    with pytest.raises(PrunecError, match="P210: this rule has no tensor `t`"):
        load(["base", "mine.prune"])


def test_files_of_the_user_are_compared_with_built_in_ones(folder: Path) -> None:
    mine = folder / "mine.prune"
    mine.write_text("op A { d[c] -> o[c] }", "utf-8")
    with pytest.raises(PrunecError) as caught:
        load(["base", "mine.prune"])
    message = render_all(caught.value.diagnostics)
    assert "error[P219]: two rules match one `A`\n  --> mine.prune:1:4" in message
    assert "--> rules/base.prune:1:4" in message
    assert "`op A as my_A specialises A`" in message
    mine.write_text("op A as my_A specialises A { d[c] -> o[c] }", "utf-8")
    rules = load(["base", "mine.prune"])
    assert [rule.label for rule in rules.rules_for("A")] == ["A", "my_A"]
    assert rules.warnings == ()


def test_warnings_are_kept(folder: Path) -> None:
    (folder / "mine.prune").write_text("op Z(a) { d[c] -> o[c] }", "utf-8")
    (warning,) = load(["mine.prune"]).warnings
    assert warning.headline == "the attribute `a` is never used"


def test_a_file_named_twice_counts_once(folder: Path) -> None:
    (folder / "mine.prune").write_text("op Z { d[c] -> o[c] }", "utf-8")
    assert len(load(["mine.prune", "./mine.prune", "base", "base"]).all_rules()) == 3
