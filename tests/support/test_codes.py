"""Each code has one record, each record a place that raises it, and each example shows what is printed.

With ``PRUNEC_UPDATE=1`` in the environment the messages in examples are written anew; read them all then,
and run ``make docs``.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Iterator, Optional

import pytest
from messages.cases import CASES

from prunec.language.check import check
from prunec.language.parser import parse
from prunec.support import codes as catalogue
from prunec.support.codes import CodeRecord, codes, read_record, record_of
from prunec.support.diagnostics import PrunecError, Severity, Source, render_all

ROOT = Path(__file__).parents[2]
EXPECTED = ROOT / "tests" / "messages" / "expected"
CODE = re.compile(r"P\d{3}")


@dataclass(frozen=True)
class Place:
    """A call that a code is given to, or a row of a table of messages: ``headline`` is what stands behind the
    code, as Python prints it, where that is no name of something that was made before."""

    code: str
    where: str
    headline: Optional[str]
    severity: Severity


@lru_cache(maxsize=1)
def places() -> tuple[Place, ...]:
    return tuple(place for path in sorted((ROOT / "prunec").rglob("*.py")) for place in places_in(path))


def places_in(path: Path) -> Iterator[Place]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, (ast.Call, ast.Tuple)):
            continue
        values = node.args if isinstance(node, ast.Call) else node.elts
        for number, argument in enumerate(values):
            if isinstance(argument, ast.Constant) and CODE.fullmatch(str(argument.value)):
                behind = values[number + 1] if number + 1 < len(values) else None
                known = isinstance(behind, (ast.Constant, ast.JoinedStr))
                warns = any(
                    word.arg == "severity" and ast.unparse(word.value) == "Severity.WARNING"
                    for word in (node.keywords if isinstance(node, ast.Call) else ())
                )
                yield Place(
                    str(argument.value),
                    f"{path.relative_to(ROOT)}:{node.lineno}",
                    ast.unparse(behind) if known and behind is not None else None,
                    Severity.WARNING if warns else Severity.ERROR,
                )


def test_every_code_that_is_raised_has_a_record_and_no_record_is_idle() -> None:
    raised = {place.code for place in places()}
    assert len(raised) > 130
    assert raised - set(codes()) == set(), "write prunec/support/codes/PNNN.md for these"
    assert set(codes()) - raised == set(), "nothing raises these"


def test_every_code_that_the_source_speaks_of_is_raised() -> None:
    """In docstrings and comments, too."""
    for path in (ROOT / "prunec").rglob("*.py"):
        named = set(re.findall(r"\bP[1-9]\d\d\b", path.read_text(encoding="utf-8")))
        assert named <= set(codes()), path


def test_errors_and_warnings_are_told_apart() -> None:
    wrong = [place for place in places() if place.severity is not record_of(place.code).severity]
    assert wrong == []


def test_one_meaning_has_one_code() -> None:
    titles = [record_of(code).title for code in codes()]
    assert len(set(titles)) == len(titles)
    by_headline: dict[str, set[str]] = defaultdict(set)
    for place in places():
        if place.headline is not None:
            by_headline[place.headline].add(place.code)
    assert len(by_headline) > 100
    assert {headline: found for headline, found in by_headline.items() if len(found) > 1} == {}


@pytest.mark.parametrize("code", codes())
def test_a_record_is_complete(code: str) -> None:
    record = record_of(code)
    assert record.code == code and record.title[0] != record.title[0].upper() or record.title[:2].isupper()
    for text in (record.meaning, record.why, record.remedy):
        assert re.search(r"[.)]$", text) and len(text) > 10
    assert len({record.meaning, record.why, record.remedy}) == 3


def test_what_is_no_record_is_refused() -> None:
    text = (Path(catalogue.__file__).parent / "P404.md").read_text(encoding="utf-8")
    assert read_record("P404", text) == record_of("P404")
    for wrong in ("", text.replace("## Why", "## How"), text.replace("```text", "```"), text + "more\n"):
        with pytest.raises(ValueError, match="P404"):
            read_record("P404", wrong)


def messages(code: str) -> list[str]:
    """Every message with a code that a bad input of tests/messages gets, with the command line above it."""
    found = []
    for case in CASES:
        said = (EXPECTED / f"{case.name}.txt").read_text(encoding="utf-8")
        match = re.search(rf"^(?:error|warning)\[{code}\]: .*?(?=^exit code|\n\n|\Z)", said, re.M | re.S)
        if match is not None:
            found.append(f"{said.splitlines()[0]}\n{match.group().rstrip()}\n")
    return found


def checked(rules: str) -> str:
    """What prunec says of a rule file."""
    try:
        return render_all(check([parse(Source("rules.prune", rules))])) + "\n"
    except PrunecError as error:
        return render_all(error.diagnostics) + "\n"


def possible(record: CodeRecord) -> list[str]:
    """What the example of a record can show."""
    if record.example is not None and record.example.rules is not None:
        return [checked(record.example.rules)]
    return messages(record.code)


@pytest.mark.parametrize("code", codes())
def test_the_example_shows_what_is_printed(code: str) -> None:
    """tests/messages runs the command lines."""
    record = record_of(code)
    shown = possible(record)
    if record.example is None:
        assert shown == [], "give the record one of these as its example"
    else:
        assert f"{record.severity.value}[{code}]: " in record.example.printed
        assert record.example.printed in shown


def test_most_records_have_an_example() -> None:
    without = [code for code in codes() if record_of(code).example is None]
    assert len(without) < len(codes()) / 2


@pytest.mark.skipif(not os.environ.get("PRUNEC_UPDATE"), reason="set PRUNEC_UPDATE=1 to rewrite examples")
def test_rewrite() -> None:
    for code in codes():
        record, path = record_of(code), Path(catalogue.__file__).parent / f"{code}.md"
        shown, text = possible(record), path.read_text(encoding="utf-8")
        if record.example is None and shown:
            text += f"\n## Example\n\n```text\n{shown[0]}```\n"
        elif record.example is not None and record.example.printed not in shown:
            same = [new for new in shown if new.split("\n")[0] == record.example.printed.split("\n")[0]]
            text = text.replace(record.example.printed, (same or shown)[0])
        path.write_text(text, encoding="utf-8")
        new = read_record(code, text).example
        assert new is None or new.printed in shown


def test_commands_that_explain_no_code_do_not_read_the_records(tmp_path: Path) -> None:
    program = """
import sys
from prunec.cli.main import main
codes = main(["--help"]), main(["rules", "check", "my.prune"]), main(["groups", "no-symbol.json"])
assert codes == (0, 1, 1), codes
sys.exit(any(name.startswith("prunec.support.codes") for name in sys.modules))
"""
    (tmp_path / "my.prune").write_text("op a { data[*x -> out[*x] }\n")
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "error[P101]" in ran.stdout + ran.stderr and "error[P301]" in ran.stderr
