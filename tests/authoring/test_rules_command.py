"""`prunec rules check`, `fmt`, `list`, `doc` and `test` as a user runs them."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from prunec.authoring.registered_operators import Registered, registered_operators
from prunec.cli import rules_command as command
from prunec.support.diagnostics import PrunecError, render_all

GOOD = """\
## Scales each channel.
op my_scale {
  data[n, c, *x]; weight[c] -> out[n, c, *x]
  zero out if data
}
"""
BAD = """\
op my_scale(speed) {
  data[n, c *x]; weight[c] -> out[n, c, *x]
}

op my_gate {
  data[n, c, *x]; gate[c] -> out[n, k, *x]
}

op my_gate as second {
  data[*x] -> out[*x]
}
"""


def prunec_rules(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    command.add_options(parser)
    options = parser.parse_args([str(argument) for argument in arguments])
    return command.run(options)


@pytest.fixture(autouse=True)
def no_framework(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small registry, whatever is installed."""
    operators = {"my_scale": Registered(("factor",), False), "my_open": Registered(("kind",), True)}
    monkeypatch.setattr(
        "prunec.authoring.registered_operators.registered_operators", lambda library: operators
    )


def written(folder: Path, text: str, name: str = "my.prune") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


# --- check ---


def test_good_rules_pass(tmp_path: Path, capsys: Any) -> None:
    assert prunec_rules("check", written(tmp_path, GOOD)) == 0
    assert capsys.readouterr().out == "1 rule: no errors, no warnings\n"


def test_all_errors_are_found_in_one_run(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, BAD)
    assert prunec_rules("check", "my.prune", "--format", "concise") == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["my.prune:2:13", "error[P101]"],
        ["my.prune:6:37", "warning[P217]"],
        ["my.prune:9:4", "error[P219]"],
    ]
    assert lines[0].endswith("`*` cannot stand here: expected `]`, `,`, `|` or `@`")


def test_full_form_counts(tmp_path: Path, capsys: Any) -> None:
    assert prunec_rules("check", written(tmp_path, BAD)) == 1
    text = capsys.readouterr().out
    assert text.endswith("\n2 rules: 2 errors, 1 warning\n")
    assert "error[P219]: two rules match one `my_gate`" in text and text.count("-->") == 4


def test_json_names_places(tmp_path: Path, capsys: Any) -> None:
    path = written(tmp_path, BAD)
    assert prunec_rules("check", path, "--format", "json") == 1
    found = json.loads(capsys.readouterr().out)
    assert [entry["code"] for entry in found] == ["P101", "P217", "P219"]
    first = found[0]["annotations"][0]
    assert (first["file"], first["line"], first["column"], first["end_column"]) == (str(path), 2, 13, 14)


def test_github_form_is_escaped(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, BAD, "my,rules.prune")
    assert prunec_rules("check", "my,rules.prune", "--format", "github") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(
        "::error file=my%2Crules.prune,line=2,endLine=2,col=13,endColumn=14,title=P101::`*` cannot stand"
    )
    assert "%0A" in lines[2] and len(lines) == 3


def test_attributes_are_compared_with_the_framework(tmp_path: Path, capsys: Any) -> None:
    text = """op my_scale(facto) as a when facto == 1 { d[*x] -> o[*x] }
op my_open(anything) as b when anything == 1 { d[*x] -> o[*x] }
op nobody_knows(anything) as c when anything == 1 { d[*x] -> o[*x] }
"""
    assert prunec_rules("check", written(tmp_path, text), "--format", "concise") == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "my.prune:1:13: warning[P725]: MXNet's `my_scale` has no attribute `facto`" in line
    assert "did you mean `factor`?" in line


def test_overlap_with_the_built_in_rules(tmp_path: Path, capsys: Any) -> None:
    path = written(tmp_path, "op Flatten { data[n, *x] -> out[n, (*x)] }\n")
    assert prunec_rules("check", path) == 1
    text = capsys.readouterr().out
    assert "two rules match one `Flatten`" in text and "rules/default.prune:" in text
    assert "op Flatten as my_Flatten specialises Flatten" in text
    assert prunec_rules("check", path, "--alone") == 0


def test_the_built_in_rules_are_clean(capsys: Any, monkeypatch: Any) -> None:
    # Against MXNet itself, where it is installed.
    monkeypatch.setattr("prunec.authoring.registered_operators.registered_operators", registered_operators)
    assert prunec_rules("check") == 0
    assert re.fullmatch(r"\d+ rules: no errors, no warnings\n", capsys.readouterr().out)
    # Each for another kind of model, they are not compared with one another.
    assert prunec_rules("check", "default", "onnx") == 0
    assert re.fullmatch(r"\d+ rules: no errors, no warnings\n", capsys.readouterr().out)


def test_rules_for_onnx_are_compared_with_their_own(tmp_path: Path, capsys: Any) -> None:
    path = written(tmp_path, "op Softplus, MaxPool(anything) as mine { X[*x] -> Y[*x] }\n")
    assert prunec_rules("check", path, "--against", "onnx") == 1
    text = capsys.readouterr().out
    assert "two rules match one `MaxPool`" in text and "rules/onnx.prune:" in text
    assert prunec_rules("check", path, "onnx", "--format", "concise") == 1
    assert "two rules match one `MaxPool`" in capsys.readouterr().out


def test_rules_are_compared_with_those_of_their_kind(tmp_path: Path, capsys: Any) -> None:
    assert prunec_rules("check", written(tmp_path, "op Gemm as mine { a[*x] -> b[*x] }\n")) == 1
    assert "two rules match one `Gemm`" in capsys.readouterr().out
    assert prunec_rules("check", written(tmp_path, "op Gemm as mine { a[*x] -> b[*x] }\n"), "--alone") == 0
    (tmp_path / "onnx.prune").write_text(
        (OPERATORS.parents[1] / "rules" / "onnx.prune").read_text("utf-8"), "utf-8"
    )
    capsys.readouterr()
    assert prunec_rules("check", str(tmp_path / "onnx.prune")) == 0
    assert capsys.readouterr().out.endswith(" rules: no errors, no warnings\n")


POLICY = 'policy "stem_*" { hold because "few channels" }\n\npolicy "a", "b" { ratio 0.5  align 8 }\n'


def test_policies_are_checked_too(tmp_path: Path, capsys: Any) -> None:
    assert prunec_rules("check", written(tmp_path, "# What stays.\n" + POLICY)) == 0
    assert capsys.readouterr().out == "2 policies: no errors, no warnings\n"
    assert prunec_rules("check", written(tmp_path, POLICY.replace("0.5", "5"))) == 1
    text = capsys.readouterr().out
    assert "error[P528]: `ratio 5` is out of bounds" in text and "write a share, such as 0.5" in text
    assert "my.prune:3:19" in text and "2 policies: 1 error, no warnings" in text


@pytest.mark.parametrize(
    ("text", "headline", "places"),
    [
        ('policy "a", "b", "a" { hold }', "this pattern stands here twice", [18, 8]),
        ('policy "a" {}', "this policy says nothing", [8]),
        ('policy "a" { align 8  align 4 }', "`align` stands twice in this policy", [23, 14]),
        ('policy "a" { whole rows  ratio 0.5  hold }', "`ratio 0.5` says nothing beside `hold`", [26, 37]),
        ('policy "a" { ratio 0.7  max_ratio 0.5 }', "`ratio 0.7` is above `max_ratio 0.5`", [14, 25]),
    ],
)
def test_what_of_a_policy_says_nothing(
    text: str, headline: str, places: list[int], tmp_path: Path, capsys: Any
) -> None:
    path = written(tmp_path, text + "\n")
    assert prunec_rules("check", path) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"warning[P726]: {headline}\n")
    assert re.findall(r"my\.prune:1:(\d+)", said) == [str(place) for place in places]
    assert "  help: " in said and said.endswith("\n1 policy: no errors, 1 warning\n")


def test_policies_are_formatted_in_place(tmp_path: Path, capsys: Any) -> None:
    path = written(tmp_path, '# What stays.\npolicy  "a" {hold}  # small\n')
    assert prunec_rules("fmt", path, "--check") == 1
    assert prunec_rules("fmt", path) == 0
    assert Path(path).read_text("utf-8") == '# What stays.\npolicy "a" { hold }  # small\n'
    assert prunec_rules("fmt", path, "--check") == 0
    assert capsys.readouterr().out == f"would change {path}\nchanged {path}\n"


@pytest.mark.parametrize("name", ["list", "doc", "test"])
def test_policies_are_no_rules(name: str, tmp_path: Path, capsys: Any) -> None:
    more = ["--only", "numeric"] if name == "test" else []
    with pytest.raises(PrunecError) as caught:
        prunec_rules(name, written(tmp_path, POLICY), *more)
    text = render_all(caught.value.diagnostics)
    assert "error[P101]: a policy is no rule" in text and "^^^^^^ rules are expected here" in text
    assert "help: give the file with --policy; `rules check` and `rules fmt` take it too" in text


def test_policies_among_rules(tmp_path: Path, capsys: Any) -> None:
    assert prunec_rules("check", written(tmp_path, "op a { d[*x] -> o[*x] }\n" + POLICY)) == 1
    text = capsys.readouterr().out
    assert "^^^^^^ this file holds rules" in text and "move policies into a file of their own" in text


GATE = """op Sigmoid, Relu as squash { X[*x] -> Y[*x] }
op Mul as gate { A[~*x], B[~*x] -> C[*x]  zero C if A or B }
"""


def test_rules_of_onnx_are_run_in_onnx_runtime(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")
    path = written(tmp_path, GATE)
    options = ("--only", "numeric", "--cases", "30", "--no-strictness")
    assert prunec_rules("test", path, *options) == 0
    assert "2 rules: 2 right, 0 wrong, 0 too strict, 0 not tried" in capsys.readouterr().out
    written(tmp_path, GATE.replace("X[*x] -> Y[*x] }", "X[*x] -> Y[*x]  zero Y if X }"))
    assert prunec_rules("test", path, *options) == 1
    said = capsys.readouterr().out
    assert "wrong      squash" in said and "Sigmoid(version=" in said


def test_the_library_says_what_runs_the_operators(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")
    path = written(
        tmp_path, "op Concat(axis) { x*[*a, c @ axis, *b] -> out[*a, (+ c), *b]  zero out if x }\n"
    )
    options = ("--only", "numeric", "--cases", "4", "--no-strictness")
    assert prunec_rules("test", path, "--against", "onnx", *options) == 0
    assert "right      Concat" in capsys.readouterr().out
    with pytest.raises(PrunecError) as caught:
        prunec_rules("test", path, "--against", "keras", *options)
    text = render_all(caught.value.diagnostics)
    assert text.startswith("error[P714]: the rules `keras` are for no framework that runs operators\n")
    assert "help: name one of these with --against: default, onnx" in text


def test_attributes_are_those_of_onnx(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    pytest.importorskip("onnx", reason="needs onnx")
    monkeypatch.setattr("prunec.authoring.registered_operators.registered_operators", registered_operators)
    text = "op GlobalLpPool(pp = 2, opset, outputs) { X[n, c, *x] -> Y[n, c, ones(*x)] }\n"
    assert prunec_rules("check", written(tmp_path, text), "--against", "onnx") == 1
    said = capsys.readouterr().out
    assert "warning[P725]: ONNX's `GlobalLpPool` has no attribute `pp`" in said
    assert "did you mean `p`?" in said and "opset`" not in said.split("note:")[0]
    # What an input carries is read like an attribute.
    text = "op Tile(repeats) { input[*x], repeats -> output[*(r x)]  repeats = *r  keep *r }\n"
    prunec_rules("check", written(tmp_path, text), "--against", "onnx")
    assert "P725" not in capsys.readouterr().out


def test_a_file_that_is_not_there_hides_nothing(tmp_path: Path, capsys: Any) -> None:
    assert prunec_rules("check", tmp_path / "missing.prune", "--format", "concise") == 1
    assert "error[P110]: there is no rule file" in capsys.readouterr().out


# --- fmt ---


def test_fmt_writes_the_canonical_text(tmp_path: Path, capsys: Any) -> None:
    path = written(tmp_path, "# mine\nop  a{ d[ *x ]->o[*x] }  # tail\n")
    path.chmod(0o640)
    assert prunec_rules("fmt", "--check", path) == 1
    assert capsys.readouterr().out == f"would change {path}\n"
    assert prunec_rules("fmt", path) == 0
    assert path.read_text() == "# mine\nop a { d[*x] -> o[*x] }  # tail\n"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
    assert prunec_rules("fmt", "--check", path) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["my.prune"]


def test_fmt_leaves_what_it_cannot_read(tmp_path: Path, capsys: Any) -> None:
    path = written(tmp_path, BAD)
    other = written(tmp_path, "op  a{d[*x]->o[*x]}", "other.prune")
    with pytest.raises(PrunecError) as caught:
        prunec_rules("fmt", path, other, "default")
    message = render_all(caught.value.diagnostics)
    assert "error[P101]: `*` cannot stand here" in message
    assert "formatting works on files, not on built-in names" in message
    assert path.read_text() == BAD and other.read_text() == "op a { d[*x] -> o[*x] }\n"


def test_fmt_reads_standard_input(monkeypatch: Any, capsys: Any) -> None:
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO("op  a{d[*x]->o[*x]}"))
    assert prunec_rules("fmt", "-") == 0
    assert capsys.readouterr().out == "op a { d[*x] -> o[*x] }\n"


# --- list and doc ---


def test_list_shows_the_first_sentence(tmp_path: Path, capsys: Any) -> None:
    assert prunec_rules("list", written(tmp_path, GOOD)) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == [
        "my_scale",
        "my_scale",
        "Scales",
        "each",
        "channel.",
    ]
    assert prunec_rules("list", "default", "--operator", "concat", "--format", "json") == 0
    entries = json.loads(capsys.readouterr().out)
    assert any("Concat" in entry["operators"] for entry in entries)
    assert all(entry["place"].startswith("rules/default.prune:") for entry in entries)


def test_doc_writes_a_page(tmp_path: Path, capsys: Any) -> None:
    path = written(tmp_path, "# --- gates ---\n\n" + GOOD)
    assert prunec_rules("doc", path, "--output", tmp_path / "pages") == 0
    page = (tmp_path / "pages" / "my.md").read_text(encoding="utf-8")
    assert page == (
        "# Rules in my.prune\n\n"
        "| operator | rules |\n|---|---|\n| `my_scale` | [my_scale](#my_scale) |\n\n"
        "## Gates\n\n### my_scale\n\nOperators: `my_scale`\n\nScales each channel.\n\n"
        "```prune\nop my_scale { data[n, c, *x]; weight[c] -> out[n, c, *x]  zero out if data }\n```\n"
    )


def test_doc_of_the_built_in_rules_names_every_operator(capsys: Any) -> None:
    from prunec.language.library import load

    assert prunec_rules("doc", "default") == 0
    page = capsys.readouterr().out
    assert all(f"| `{operator}` |" in page for operator in load(["default"]).operators())


# --- examples ---

EXAMPLE = """\
# Scaling

Some text.

```graph
input x[2, 3, 4]
param w[6, 3, 1]
param s[6]
c = Convolution(x, w, kernel=(1,), num_filter=6, no_bias=True)
y = my_scale(c, s)
output y
```
"""


def test_examples_are_written_and_compared(tmp_path: Path, capsys: Any) -> None:
    path = written(tmp_path, GOOD)
    beside = written(tmp_path, EXAMPLE + "\nMore text.\n", "my_test.md")
    assert prunec_rules("test", path, "--only", "examples") == 1
    text = capsys.readouterr().out
    assert "error[P722]: the example 'Scaling' is not as it says" in text and "+shape: y (2, 6, 4)" in text
    assert prunec_rules("test", path, "--update") == 0
    assert beside.read_text(encoding="utf-8") == (
        EXAMPLE
        + "\n```couplings\n"
        + "shape: c (2, 6, 4)\n"
        + "shape: y (2, 6, 4)\n"
        + "stay: w axis 0, s axis 0: the model output 'y'\n"
        + "stay: w axis 1: the model input 'x'\n"
        + "```\n\nMore text.\n"
    )
    capsys.readouterr()
    assert prunec_rules("test", path, "--only", "examples") == 0
    assert "1 of 1 examples are as they say" in capsys.readouterr().out
    path.write_text(GOOD.replace("zero out if data", "keep c"), encoding="utf-8")
    assert prunec_rules("test", path, "--only", "examples") == 1
    assert "-stay: w axis 0, s axis 0: the model output 'y'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        ("input x[2, 3]\ny = relu(z)\noutput y", "there is no tensor `z`"),
        ("input x[2, 0]\noutput x", "`0` is not a size"),
        ("input x[2, 3]\nwhatever\noutput x", "this line is not part of the notation of examples"),
        ("input x[2, 3]", "the example has no output"),
        ("input x[2]\ninput x[3]\noutput x", "there are two tensors called `x`"),
    ],
)
def test_graphs_that_cannot_be_read(tmp_path: Path, graph: str, message: str) -> None:
    path = written(tmp_path, GOOD)
    written(tmp_path, f"```graph\n{graph}\n```\n", "my_test.md")
    with pytest.raises(PrunecError) as caught:
        prunec_rules("test", path, "--only", "examples")
    text = render_all(caught.value.diagnostics)
    assert "error[P720]" in text and message in text and "help: " in text


def test_an_expectation_without_a_graph(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    written(tmp_path, "```couplings\ngo: all\n```\n", "my_test.md")
    with pytest.raises(PrunecError) as caught:
        prunec_rules("test", path, "--only", "examples")
    assert "this `couplings` belongs to no graph" in render_all(caught.value.diagnostics)


def test_examples_beside_the_built_in_rules(capsys: Any) -> None:
    assert prunec_rules("test", "default", "--only", "examples") == 0
    assert "examples are as they say" in capsys.readouterr().out


def test_no_examples_is_said(tmp_path: Path, capsys: Any) -> None:
    assert prunec_rules("test", written(tmp_path, GOOD), "--only", "examples") == 0
    assert "no examples" in capsys.readouterr().out


# --- the example of the documentation ---

OPERATORS = Path(__file__).parents[2] / "examples" / "custom_op"


def test_rules_of_the_custom_operators_are_good(capsys: Any) -> None:
    assert prunec_rules("check", OPERATORS / "channel_ops.prune") == 0
    assert capsys.readouterr().out == "2 rules: no errors, no warnings\n"
    assert prunec_rules("fmt", "--check", OPERATORS / "channel_ops.prune") == 0
    assert prunec_rules("test", OPERATORS / "channel_ops.prune", "--only", "examples") == 0
    shown = (OPERATORS / "README.md").read_text(encoding="utf-8")
    rules = (OPERATORS / "channel_ops.prune").read_text(encoding="utf-8")
    blocks = [part.split("```")[0] for part in shown.split("```prune\n")[1:]]
    assert len(blocks) == 2 and all(block in rules for block in blocks)


def test_custom_operators_are_proved_by_running_them(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("mxnet", reason="needs MXNet")
    shutil.copy(OPERATORS / "channel_ops.prune", tmp_path)
    arguments = ("--register", OPERATORS / "channel_ops.py", "--only", "numeric", "--cases", 6)
    assert prunec_rules("test", tmp_path / "channel_ops.prune", *arguments) == 0
    text = capsys.readouterr().out
    assert "2 rules: 2 right, 0 wrong, 0 too strict, 0 not tried" in text


def test_a_wrong_rule_of_a_custom_operator_is_found(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("mxnet", reason="needs MXNet")
    rules = (OPERATORS / "channel_ops.prune").read_text(encoding="utf-8")
    forgotten = "\n".join(line for line in rules.split("\n") if "mixes *x" not in line)
    path = written(tmp_path, forgotten)
    arguments = (
        "--register",
        OPERATORS / "channel_ops.py",
        "--only",
        "numeric",
        "--operator",
        "channel_gate",
    )
    assert prunec_rules("test", path, *arguments) == 1
    assert "wrong      channel_gate" in capsys.readouterr().out


def test_a_network_of_custom_operators_is_pruned_and_verified(tmp_path: Path) -> None:
    pytest.importorskip("mxnet", reason="needs MXNet")
    import subprocess

    environment = {**os.environ, "PYTHONPATH": str(OPERATORS.parents[1])}

    def python(*arguments: object) -> str:
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            capture_output=True,
            text=True,
            env=environment,
            cwd=OPERATORS,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    python("network.py", tmp_path)
    model = (tmp_path / "gated-symbol.json", "--input", "data=2,3,16,16")
    rules = ("--rules", "default", "--rules", "channel_ops.prune")
    text = python(
        *("-m", "prunec", "compile", *model, *rules, "--out", tmp_path / "smaller"),
        *("--verify", "--register", "channel_ops.py"),
    )
    assert "proved: " in text
    smaller = json.loads((tmp_path / "smaller" / "gated-symbol.json").read_text("utf-8"))
    assert next(n for n in smaller["nodes"] if n["name"] == "conv1")["attrs"]["num_filter"] == "16"
    text = python("-m", "prunec", "explain", *model, *rules, "conv1_weight", "--axis", 0)
    assert "conv1 → norm1 → activation0 → gate → interleave → conv2" in text
