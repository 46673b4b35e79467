"""The command line itself: options, exit codes, and files that are none."""

from __future__ import annotations

import argparse
import io
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import prunec
from cli.tools import ROOT, run, run_process, symbol, write_network
from prunec.cli import main as command
from prunec.cli.options import ratio
from prunec.cli.usage import UsageError


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "prunec: the following arguments are required: COMMAND"),
        ("groups net.json other.json", "prunec groups: nothing is expected where it says 'other.json'"),
        ("compile", "prunec compile: the following arguments are required: MODEL"),
        ("compile net.json --input data", "argument --input: 'data' is not of the form NAME=1,3,224,224"),
        ("compile net.json --input =1,3", "argument --input: '=1,3' is not of the form NAME=1,3,224,224"),
        ("compile net.json --input data=1,x", "'x' in 'data=1,x' is not a size: sizes are whole numbers"),
        ("compile net.json --input data=1,0", "'0' in 'data=1,0' is not a size"),
        ("compile net.json --input data=1,-3", "'-3' in 'data=1,-3' is not a size"),
        ("compile net.json --input data=", "'' in 'data=' is not a size"),
        ("compile net.json --input data=99999999999", "'99999999999' in 'data=99999999999' is not a size"),
        ("compile net.json --input a=1 --input a=2", "argument --input: 'a' is given two shapes, (1,) and"),
        ("compile net.json --ratio 1", "argument --ratio: '1' is not a share: a number from 0"),
        ("compile net.json --ratio nan", "argument --ratio: 'nan' is not a share"),
        ("compile net.json --ratio -0.5", "argument --ratio: '-0.5' is not a share"),
        ("compile net.json --target macs", "argument --target: 'macs' is no target: targets are macs=…"),
        ("compile net.json --target macs=2X", "'X' in 'macs=2X' is no unit of macs: those are K, M, G, T"),
        ("compile net.json --align 0", "argument --align: '0' is not a whole number from 1 on"),
        ("compile net.json --target macs=0.5 --ratio 0.5", "argument --target: it says how much goes"),
        ("plan net.json --target macs=0.5 --target macs=1G", "argument --target: macs is given two targets"),
        ("compile net.json --plan p --ratio 0.5", "argument --plan: the plan says what goes; leave out"),
    ],
)  # fmt: skip
def test_usage_errors(capsys: Any, arguments: str, message: str) -> None:
    code, out, err = run(capsys, *arguments.split())
    assert (code, out) == (2, "")
    assert message in err and err.startswith("error[P001]: prunec") and len(err.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "headline", "advice"),
    [
        (
            "frobnicate",
            "there is no command 'frobnicate'",
            "there are compile, groups, plan",
        ),
        (
            "compil",
            "there is no command 'compil'",
            "did you mean `compile`?",
        ),
        (
            "rules chekc",
            "prunec rules: there is no command 'chekc'",
            "did you mean `check`?",
        ),
        (
            "compile net.json --ratoi 0.4",
            "prunec compile has no option '--ratoi'",
            "did you mean `--ratio`?",
        ),
        (
            "compile net.json --ratoi=0.4",
            "prunec compile has no option '--ratoi'",
            "did you mean `--ratio`?",
        ),
        (
            "groups net.json --bogus",
            "has no option '--bogus'",
            "`prunec groups --help` says what it takes",
        ),
        (
            "compile net.json --aggregate men",
            "argument --aggregate: 'men' is none of its values",
            "did you mean `mean`?",
        ),
        (
            "explain net.json x --format xml",
            "is none of its values",
            "there are text, json",
        ),
    ],
)
def test_words_that_are_none_of_prunec_s(capsys: Any, arguments: str, headline: str, advice: str) -> None:
    code, out, err = run(capsys, *arguments.split())
    assert (code, out) == (2, "")
    first, second = err.splitlines()
    assert first.endswith(headline) and second.startswith(f"  help: {advice}")


def test_usage_errors_for_programs(capsys: Any) -> None:
    code, out, err = run(capsys, "compile", "net.json", "--ratoi", "0.4", "--json")
    (told,) = json.loads(err)
    assert (code, out) == (2, "")
    assert (told["code"], told["help"]) == ("P001", "did you mean `--ratio`?")


def test_options_of_the_parser_itself_are_those_that_are_proposed() -> None:
    """Which options there are is asked of argparse where it does not say that it may be asked."""
    with pytest.raises(UsageError, match="has no option '--rulse'") as raised:
        command.command_parser(["groups"]).parse_args(["groups", "net.json", "--rulse", "mine.prune"])
    assert raised.value.diagnostic.help == "did you mean `--rules`?"


@pytest.mark.parametrize(("text", "share"), [("40%", 0.4), ("0.4", 0.4), ("0%", 0), ("12.5%", 0.125)])
def test_shares_in_per_cent(text: str, share: float) -> None:
    assert ratio(text) == share


@pytest.mark.parametrize("text", ["100%", "-1%", "%", "4%0", "40%%", "0.4 per cent"])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="such as 0.4 or 40%"):
        ratio(text)


def test_version_and_help(capsys: Any) -> None:
    assert run(capsys, "--version") == (0, f"prunec {prunec.__version__}\n", "")
    assert f'version = "{prunec.__version__}"' in (ROOT / "pyproject.toml").read_text()
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for name in command.COMMANDS:
        assert re.search(rf"^ +{name}\b", out, re.MULTILINE)
        assert run(capsys, name, "--help")[0] == 0


def test_help_is_fast_and_imports_little(tmp_path: Path) -> None:
    program = "import sys\nfrom prunec.cli.main import main\nmain(['--help'])\n"
    program += "print(sorted({'numpy', 'lark', 'rich', 'jinja2', 'mxnet'} & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert result.stdout.splitlines()[-1] == "[]"


def test_compiling_imports_no_framework(tmp_path: Path) -> None:
    write_network(tmp_path)
    program = (
        "import sys\nfrom prunec.cli.main import main\nassert main(['compile', 'net-symbol.json']) == 0\n"
    )
    program += "print(sorted({'mxnet', 'rich', 'onnx'} & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert result.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "error[P301]: cannot read the model\n  --> net-symbol.json\n"),
        (b"", "error[P303]: not a JSON file"),
        (b"\x00\xff\x12" * 40, "error[P303]: not a JSON file"),
        (b'{"nodes": [', "error[P303]: not a JSON file\n  --> net-symbol.json:1:12"),
        (b"[" * 200_000, "error[P304]: the model file is nested too deeply"),
        (b"[]", "error[P305]: not an MXNet symbol file"),
    ],
)  # fmt: skip
def test_models_that_are_none(tmp_path: Path, capsys: Any, content: Any, message: str) -> None:
    if content is not None:
        (tmp_path / "net-symbol.json").write_bytes(content)
    for name in ("compile", "groups"):
        code, out, err = run(capsys, name, "net-symbol.json")
        assert (code, out) == (1, "")
        assert message in err and "help: " in err


def test_folders_for_files(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path)
    for arguments, message in (
        ([tmp_path], "error[P301]: cannot read the model"),
        (["net-symbol.json", "--params", "."], "error[P601]: cannot read the parameters"),
        (["net-symbol.json", "--params", "none"], "error[P601]: cannot read the parameters"),
        (["net-symbol.json", "--params", "net-symbol.json"], "error[P602]: not an MXNet parameter file"),
        (["net-symbol.json", "--rules", "."], "error[P110]: there is no rule file ."),
        (["net-symbol.json", "--rules", "nul\0l"], "error[P110]: there is no rule file nul\\u0000l"),
        (["net-symbol.json", "--input", "nope=1,2"], 'error[P307]: the model has no input "nope"'),
        (["nul\0l.json"], "error[P301]: cannot read the model"),
    ):
        code, _, err = run(capsys, "compile", *arguments)
        assert code == 1 and message in err


def test_a_bad_rule_file(tmp_path: Path, capsys: Any) -> None:
    write_network(tmp_path)
    (tmp_path / "own.prune").write_text("op a { data[n, c] -> out[n c] }\n")
    code, _, err = run(capsys, "compile", "net-symbol.json", "--rules", "own.prune")
    assert code == 1
    assert err.startswith("error[P101]: `c` cannot stand here\n  --> own.prune:1:28\n")


def test_an_error_in_prunec_itself(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise ZeroDivisionError("by\x1b zero")

    write_network(tmp_path)
    monkeypatch.setattr("prunec.cli.inputs.analyse", fail)
    code, _, err = run(capsys, "compile", "net-symbol.json")
    assert code == 1
    assert err.startswith("error[P999]: prunec failed in a way it should not: ZeroDivisionError\n")
    assert "note: by\\u001b zero" in err
    monkeypatch.setenv(command.TRACEBACK_VARIABLE, "1")
    with pytest.raises(ZeroDivisionError):
        run(capsys, "compile", "net-symbol.json")


def test_no_memory(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise MemoryError("Unable to allocate 3.00 GiB")

    write_network(tmp_path)
    monkeypatch.setattr("prunec.cli.inputs.analyse", fail)
    code, _, err = run(capsys, "compile", "net-symbol.json")
    assert code == 1
    assert err.startswith(
        "error[P732]: there is not enough memory for this\n  note: Unable to allocate 3.00 GiB\n"
    )


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    write_network(tmp_path, symbol())
    before = "import os, sys\nread, write = os.pipe()\nos.close(read)\nos.dup2(write, 1)"
    for name, option in (("groups", "--json"), ("compile", "--no-restore")):
        result = run_process(tmp_path, name, "net-symbol.json", option, before=before)
        assert (result.returncode, result.stderr) == (141, "")


def test_a_terminal_without_unicode(tmp_path: Path) -> None:
    write_network(tmp_path, symbol(names={"conv1": "schön"}))
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    result = run_process(tmp_path, "compile", "net-symbol.json", "--no-restore", environment=ascii_only)
    assert (result.returncode, result.stderr) == (0, "")
    assert "sch\\xf6n" in result.stdout


def test_a_terminal_gets_a_drawn_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    write_network(tmp_path, symbol(names={"conv1": "[red]conv1[/red]"}))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    assert command.main(["compile", "net-symbol.json"]) == 0
    assert "[red]conv1[/red]" in terminal.getvalue() and "─" in terminal.getvalue()
    assert "\x1b[3" not in terminal.getvalue()


def test_help_takes_little_time() -> None:
    resource = pytest.importorskip("resource", reason="needs CPU times of child processes")

    def cpu(program: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": str(ROOT)}, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return float(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    start = time.monotonic()
    helping = min(cpu("from prunec.cli.main import main; main(['--help'])") for _ in range(3))
    assert helping - min(cpu("pass") for _ in range(3)) < 0.15, f"after {time.monotonic() - start} s"
