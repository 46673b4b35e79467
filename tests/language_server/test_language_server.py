"""The language server: what it answers, and that it speaks the protocol where pygls is installed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from prunec.language_server.features import Document
from prunec.language_server.positions import offset_of, position_of
from prunec.support.diagnostics import Severity

ROOT = Path(__file__).parents[2]
TEXT = """\
# 𝛼 counts as two characters in the protocol
## Scales each channel.
op my_scale(factor = 1) when factor != 0 {
  data[n, c, *x]; weight[c] -> out[n, c, *x]
  zero out if data
}

op my_other as mine specialises my_scale, Convolution {
  data[*x] -> out[permute(*x, None)]
}
"""


def at(text: str, marked: str, within: int = 0) -> int:
    return text.index(marked) + within


def document(text: str = TEXT) -> Document:
    return Document("my.prune", text)


def test_messages_have_places() -> None:
    broken = TEXT.replace("zero out", "zero uot").replace("; weight[c]", "; weight[c")
    found = list(document(broken).diagnostics())
    assert [d.code for d, _, _ in found if d.severity is Severity.ERROR] == ["P101"]
    diagnostic, start, end = found[0]
    assert broken[start:end] == "->" and diagnostic.headline == "`->` cannot stand here"


@pytest.mark.parametrize(
    ("marked", "within", "holds"),
    [
        ("my_scale, Conv", 2, "Scales each channel."),
        ("Convolution {", 0, "Convolution, any number of spatial axes"),
        ("permute(", 3, "the axes in another order"),
        ("zero out", 1, "The tensor is zero in a removed channel."),
        ("data[n, c", 8, "`c`: on data and parameters and outputs"),
        ("specialises", 0, "this one is meant"),
    ],
)
def test_hover(marked: str, within: int, holds: str) -> None:
    hover = document().hover(at(TEXT, marked, within))
    assert hover is not None and holds in hover.markdown
    assert hover.start <= at(TEXT, marked, within) <= hover.end


def test_hover_on_nothing() -> None:
    assert document().hover(at(TEXT, "-> out")) is None


@pytest.mark.parametrize(
    ("marked", "within", "target"),
    [
        ("my_scale, Conv", 0, "my_scale(factor"),
        ("factor != 0", 0, "factor = 1"),
        ("out if data", 0, "out[n, c, *x]\n  zero"),
        ("if data", 3, "data[n, c, *x]; weight"),
        ("weight[c]", 7, "c, *x]; weight"),
    ],
)
def test_definition(marked: str, within: int, target: str) -> None:
    found = document().definition(at(TEXT, marked, within))
    assert found is not None and found.path is None
    assert found.start == at(TEXT, target)


def test_definition_in_the_built_in_rules() -> None:
    found = document().definition(at(TEXT, "Convolution {"))
    assert found is not None and found.path == ROOT / "rules" / "default.prune"
    assert found.source.text[found.start : found.end] == "Convolution"
    assert found.path.read_text(encoding="utf-8") == found.source.text


def test_formatting() -> None:
    assert document("op  a{d[ *x ]->o[*x]}").formatted() == "op a { d[*x] -> o[*x] }\n"
    assert document("op a {").formatted() is None


def test_the_built_in_rules_are_no_rivals_of_themselves() -> None:
    path = ROOT / "rules" / "default.prune"
    found = Document(str(path), path.read_text(encoding="utf-8")).diagnostics()
    assert [d for d, _, _ in found if d.severity is Severity.ERROR] == []


def test_a_copy_of_built_in_rules_is_no_rival_of_theirs(tmp_path: Path) -> None:
    text = (ROOT / "rules" / "onnx.prune").read_text(encoding="utf-8")
    assert list(Document(str(tmp_path / "onnx.prune"), text).diagnostics()) == []


def test_rules_are_compared_with_those_of_the_same_kind_of_model() -> None:
    """`Concat` is an operator of both kinds; what the file speaks of besides tells which one is meant."""
    rest = "op my_gemm as gemm specialises Gemm { a[*x] -> b[*x] }\n"
    concat = "op Concat as mine specialises Concat when axis == 1 { a[*x] -> b[*x] }\n".replace(
        "Concat as", "Concat(axis) as"
    )
    found = Document("my.prune", rest + concat)
    assert [d.headline for d, _, _ in found.diagnostics() if d.severity is Severity.ERROR] == []
    place = found.definition((rest + concat).index("Concat when"))
    assert place is not None and place.path == ROOT / "rules" / "onnx.prune"


def words(text: str, kind: str) -> list[str]:
    """The words of a kind that may stand at the bar."""
    offset = text.index("|")
    return [c.word for c in document(text.replace("|", "")).completions(offset) if c.kind == kind]


def test_completion() -> None:
    incomplete = (
        'op other { q[z] -> o[z] }\nop mine(axis) {\n  # not_this "nor_this"\n  data[n, c]; w[c] -> out[n, |'
    )
    assert words(incomplete, "name") == ["axis", "c", "data", "mine", "n", "out", "w"]
    assert "permute" in words(incomplete, "function") and "balanced" in words(incomplete, "keyword")
    assert words("op a as b { data[wide] -> out[wi|] }", "name") == ["a", "b", "data", "out", "wide"]


def test_completion_of_rules() -> None:
    found = words("op first { d[c] -> o[c] }\nop second specialises fi|", "rule")
    assert {"first", "Convolution"} <= set(found) and found == sorted(found)
    assert words("op second specialises first when |", "rule") == []


def test_completion_of_policies() -> None:
    assert words('policy "a" { h| }', "keyword")[:2] == ["policy", "hold"]
    assert words('policy "a" { h| }', "name") == []


def test_formatting_of_policies() -> None:
    assert document('policy  "a" {hold}').formatted() == 'policy "a" { hold }\n'


def test_positions_count_code_units() -> None:
    offset = at(TEXT, "counts")
    assert position_of(TEXT, offset) == (0, 5)
    assert offset_of(TEXT, 0, 5) == offset
    for offset in range(len(TEXT) + 1):
        assert offset_of(TEXT, *position_of(TEXT, offset)) == offset
    assert offset_of(TEXT, 99, 0) == len(TEXT) and offset_of("ab\ncd", 0, 99) == 2


# --- the protocol ---


def message(content: dict[str, Any]) -> bytes:
    data = json.dumps({"jsonrpc": "2.0", **content}).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(data), data)


def test_it_speaks_the_protocol(tmp_path: Path) -> None:
    pytest.importorskip("pygls", reason="needs pygls")
    path = tmp_path / "my.prune"
    uri = path.as_uri()
    text = TEXT.replace("zero out", "zero  uot")
    place = {"textDocument": {"uri": uri}, "position": {"line": 7, "character": 34}}
    opened = {"textDocument": {"uri": uri, "languageId": "prune", "version": 1, "text": text}}
    options = {"tabSize": 2, "insertSpaces": True}
    formatting = {"textDocument": {"uri": uri}, "options": options}
    sent = b"".join(
        message(content)
        for content in (
            {
                "id": 1,
                "method": "initialize",
                "params": {"processId": None, "rootUri": None, "capabilities": {}},
            },
            {"method": "initialized", "params": {}},
            {"method": "textDocument/didOpen", "params": opened},
            {"id": 2, "method": "textDocument/hover", "params": place},
            {"id": 3, "method": "textDocument/definition", "params": place},
            {"id": 4, "method": "textDocument/formatting", "params": formatting},
            {"id": 5, "method": "textDocument/completion", "params": place},
            {"id": 6, "method": "shutdown"},
            {"method": "exit"},
        )
    )
    done = subprocess.run(
        [sys.executable, "-m", "prunec.language_server"],
        input=sent,
        capture_output=True,
        timeout=60,
        cwd=ROOT,
    )
    answers = [
        json.loads(part) for part in re.findall(rb"\r\n\r\n(\{.*?\})(?=Content-Length|\Z)", done.stdout, re.S)
    ]
    by_id = {answer.get("id"): answer.get("result") for answer in answers if "id" in answer}
    (published,) = [a["params"] for a in answers if a.get("method") == "textDocument/publishDiagnostics"]
    codes = {entry["code"] for entry in published["diagnostics"]}
    assert published["uri"] == uri and "P210" in codes
    assert "Scales each channel." in by_id[2]["contents"]["value"]
    assert by_id[3]["uri"] == uri and by_id[3]["range"]["start"] == {"line": 2, "character": 3}
    assert ("my_scale", 7) in [(entry["label"], entry["kind"]) for entry in by_id[5]]
    (edit,) = by_id[4]
    assert "zero uot" in edit["newText"] and edit["range"]["start"] == {"line": 0, "character": 0}


# --- the TextMate grammar ---


def test_the_textmate_grammar_knows_all_keywords() -> None:
    grammar = json.loads((ROOT / "editors" / "prune.tmLanguage.json").read_text(encoding="utf-8"))
    assert grammar["scopeName"] == "source.prune"
    text = (ROOT / "grammar" / "prune.lark").read_text(encoding="utf-8")
    rules = "\n".join(line for line in text.split("\n") if not line.startswith("//"))
    keywords = set(re.findall(r'"([A-Za-z]{2,})"', rules))
    patterns = json.dumps(grammar["repository"])
    missing = [
        word
        for word in keywords - {"op", "policy", "interface"}
        if re.search(rf"[:|]{word}[)|]", patterns) is None
    ]
    assert keywords and not missing
    for pattern in re.findall(r'"(?:match|begin|end)": ("(?:[^"\\]|\\.)*")', json.dumps(grammar)):
        re.compile(json.loads(pattern))
