"""Parsed rules in the cache: the same as from the text, whatever is in the cache."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from language import trees
from prunec.language import stored
from prunec.language.library import load
from prunec.language.parser import chunks, parse, parse_chunk, read_source
from prunec.language.printer import format_file
from prunec.language.resources import data_folder
from prunec.language.stored import decoded, encoded, read_chunk
from prunec.language.syntax import Rule, RuleFile
from prunec.support import cache
from prunec.support.diagnostics import PrunecError, Source

TEXT = '## A table.\nop A(k = -1, s = "x") when k in {1, 2} { d[n, (g c)]; w?[c] -> o[n, ~c]  k = c * 2 }\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own."""
    monkeypatch.setenv("PRUNEC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "rules"


def read(text: str = TEXT) -> tuple[Rule, ...]:
    return read_chunk(Source("a.prune", text), 0, len(text))


def no_parser(*arguments: Any) -> Any:
    raise AssertionError("parsed")


# --- trees ---


@pytest.mark.parametrize("name", ["default", "onnx"])
def test_every_built_in_rule_comes_back_with_its_places(name: str) -> None:
    source = read_source(data_folder("rules") / f"{name}.prune")
    moved = Source(source.name, "\n" + source.text)
    for start, end in chunks(source.text):
        rules = parse_chunk(source, start, end)
        data = encoded(rules, start)
        again = decoded(data, moved, start + 1, end + 1)
        assert again == rules
        assert [rule.span.text for rule in again] == [rule.span.text for rule in rules]
        assert encoded(again, start + 1) == data


@pytest.mark.slow
@given(st.lists(trees.rules(), max_size=3))
def test_generated_rules_come_back(rules: list[Rule]) -> None:
    text = format_file(RuleFile(tuple(rules), trees.NOWHERE))
    source = Source("generated", text)
    parsed = parse(source).rules
    assert decoded(encoded(parsed, 0), source, 0, len(text)) == parsed == tuple(rules)


@given(st.data())
def test_what_was_not_written_is_refused_without_an_error(data: st.DataObject) -> None:
    source = Source("a.prune", TEXT)
    document = json.loads(encoded(parse(source).rules, 0))
    at: Any = document
    while isinstance(at, list) and at:
        index = data.draw(st.integers(0, len(at) - 1))
        if not isinstance(at[index], list) or data.draw(st.booleans()):
            at[index] = data.draw(
                st.sampled_from([None, True, -1, 10**30, 99, "", [], {}, [0], [0, 0, 10**6, None], 1e999])
            )
            break
        at = at[index]
    text = json.dumps(document).encode()
    found = decoded(text, source, 0, len(TEXT))
    # What is accepted is a tree like any other.
    assert found is None or json.loads(encoded(found, 0)) == document


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b"{}",
        b"[[]]",
        b"[[0]]",
        b'["x"]',
        b"\xff",
        b"[" * 100_000,
        b"[1e999]",
        b"[[0,0,1,2,3]]",
        b"[]",
    ],
)
def test_damaged_files_are_ignored_and_replaced(folder: Path, data: bytes, monkeypatch: Any) -> None:
    expected = read()
    (file,) = folder.iterdir()
    good = file.read_bytes()
    file.write_bytes(data)
    assert read() == expected == parse(Source("a.prune", TEXT)).rules
    assert file.read_bytes() == good


@pytest.mark.parametrize("change", [lambda rules: rules * 2, lambda rules: [other_name(rules[0])]])
def test_rules_of_another_text_are_ignored(folder: Path, change: Any) -> None:
    expected = read()
    (file,) = folder.iterdir()
    file.write_text(json.dumps(change(json.loads(file.read_bytes()))), "utf-8")
    assert read() == expected


def other_name(rule: Any) -> Any:
    """The tree of a rule for an operator that its text does not name."""
    return json.loads(json.dumps(rule).replace('"A"', '"B"'))


# --- the cache ---


def test_what_is_known_is_not_parsed_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read()
    assert len(list(folder.iterdir())) == 1
    monkeypatch.setattr(stored, "parse_chunk", no_parser)
    assert read() == first
    # Nor where it stands elsewhere in another file.
    source = Source("b.prune", "# moved\n" + TEXT)
    (moved,) = read_chunk(source, 8, len(source.text))
    assert moved == first[0] and moved.span.place == "b.prune:3:1"
    with pytest.raises(AssertionError, match="parsed"):
        read(TEXT.replace("k = c", "k = n"))


def test_an_edit_within_the_same_second_and_of_the_same_length_counts(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.prune"
    for name in ("c", "d", "c"):
        file.write_text(f"op Mine(k) {{ x[n, {name}] -> y[n, {name}]  k = {name} }}\n", "utf-8")
        os.utime(file, ns=(10**18, 10**18))
        (rule,) = load([str(file)]).rules_for("Mine")
        assert rule.statements[0].right.name == name
    assert len(list(folder.iterdir())) == 2


def test_other_versions_have_other_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read()
    stored._fingerprint.cache_clear()
    monkeypatch.setattr(stored, "__version__", "another")
    read()
    stored._fingerprint.cache_clear()
    assert len(list(folder.iterdir())) == 2


def test_a_rule_with_an_error_is_told_of_each_time(folder: Path) -> None:
    for _ in range(2):
        with pytest.raises(PrunecError, match="P10"):
            read("op A { d[c] -> }\n")
    assert not folder.exists()


def test_an_empty_variable_means_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRUNEC_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert read() and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"XDG_CACHE_HOME": "xdg", "LOCALAPPDATA": "local"}, "xdg/prunec"),
        ({"LOCALAPPDATA": "local"}, "local/prunec"),
        ({}, ".cache/prunec"),
        ({"PRUNEC_CACHE": "own", "XDG_CACHE_HOME": "xdg"}, "own"),
    ],
)
def test_where_the_cache_is(
    variables: dict[str, str], place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PRUNEC_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for name, folder in variables.items():
        monkeypatch.setenv(name, str(tmp_path / folder))
    cache.write("rules", "name", b"data")
    assert (tmp_path / place / "rules" / "name").read_bytes() == b"data"
    assert cache.read("rules", "name", 4) == b"data" and cache.read("rules", "name", 3) is None


def test_a_cache_that_cannot_be_written_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("a file", "utf-8")
    monkeypatch.setenv("PRUNEC_CACHE", str(tmp_path / "file"))
    assert read() == parse(Source("a.prune", TEXT)).rules
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "rules").write_text("a file", "utf-8")
    monkeypatch.setenv("PRUNEC_CACHE", str(tmp_path / "cache"))
    assert read() == parse(Source("a.prune", TEXT)).rules
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["cache", "file", "rules"]


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="folders have no owner here")
def test_the_folder_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRUNEC_CACHE", str(tmp_path))
    monkeypatch.setattr(os, "getuid", lambda: os.stat(tmp_path).st_uid + 1)
    assert read() and not list(tmp_path.iterdir())


def test_the_oldest_files_go(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAXIMUM_FILES", 20)
    for number in range(40):
        cache.write("rules", f"{number % 16:x}{number}", b"data")
        os.utime(folder / f"{number % 16:x}{number}", ns=(number, number))
        assert len(list(folder.iterdir())) <= 20 + 16
    cache.write("rules", "0", b"data")
    left = sorted(path.stat().st_mtime_ns for path in folder.iterdir())
    assert len(left) == 20 and left[0] == 21
