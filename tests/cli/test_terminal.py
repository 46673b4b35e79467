"""What a command draws on a terminal: tables that fit, and what takes long."""

from __future__ import annotations

import io
import re
import sys
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from cli.tools import run, symbol, write_network
from prunec.cli import terminal as module
from prunec.cli.main import main
from prunec.cli.table import fitting, name_width, print_table
from prunec.cli.terminal import Terminal
from prunec.support.diagnostics import Diagnostic, Severity

WARNING = Diagnostic("P406", "no rule knows it", severity=Severity.WARNING)


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


def watched(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Standard error as a terminal where steps are shown at once.  No fixture: between set-up and test
    pytest puts its own streams back."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    monkeypatch.setattr(sys, "stderr", screen := Screen())
    return screen


def until(condition: Callable[[], bool]) -> None:
    """Waits, at most ten seconds."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_long_step_is_shown_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = watched(monkeypatch)
    with Terminal().step("slicing [bold]parameters"):
        until(lambda: "slicing [bold]parameters" in screen.getvalue())
    # The line is erased: at the end the cursor stands where it stood.
    assert screen.getvalue().endswith("\r\x1b[1A\x1b[2K")


def test_parts_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = watched(monkeypatch)
    with Terminal().step("measuring", 7, 3) as advance:
        until(lambda: "3/7" in screen.getvalue())
        advance()
        until(lambda: "4/7" in screen.getvalue())


def test_colours_are_left_out_where_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = watched(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    with Terminal().step("measuring", 7) as advance:
        until(lambda: "0/7" in screen.getvalue())
        advance()
    assert "\x1b[3" not in screen.getvalue()


@pytest.mark.parametrize("kind", ["quiet", "json", "dumb", "piped"])
def test_nothing_is_shown_to_those_who_do_not_watch(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = watched(monkeypatch)
    if kind == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    if kind == "piped":
        monkeypatch.setattr(screen, "isatty", lambda: False)
    with Terminal(quiet=kind == "quiet", json=kind == "json").step("measuring", 2) as advance:
        time.sleep(0.1)
        advance()
    assert screen.getvalue() == ""


def test_a_quick_step_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = watched(monkeypatch)
    monkeypatch.setattr(module, "PATIENCE", 30.0)
    with Terminal().step("reading"):
        pass
    assert screen.getvalue() == ""


def test_a_step_that_fails_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = watched(monkeypatch)
    with pytest.raises(KeyboardInterrupt), Terminal().step("measuring"):
        until(lambda: "measuring" in screen.getvalue())
        raise KeyboardInterrupt
    assert screen.getvalue().endswith("\r\x1b[1A\x1b[2K")


def test_a_warning_is_given_once(capsys: Any) -> None:
    terminal = Terminal()
    terminal.warn([WARNING, WARNING])
    terminal.warn([WARNING])
    terminal.close()
    assert capsys.readouterr().err == "warning[P406]: no rule knows it\n"


def test_warnings_taken_for_a_document_are_not_printed(capsys: Any) -> None:
    terminal = Terminal(json=True)
    terminal.warn([WARNING])
    assert terminal.take_warnings() == (WARNING,) and terminal.take_warnings() == ()
    terminal.warn([WARNING])
    terminal.close()
    assert capsys.readouterr().err == ""


# --- tables -----------------------------------------------------------------------------------

LAYERS = ("layer", "channels", "parameters", "multiply-adds")
ROWS = [("resnet0_stage1_unit1_conv0_fwd", "2,048 -> 1,024", "2.36 M -> 590 k", "116 M -> 28.9 M")]
NUMBERS = frozenset((1, 2, 3))


def drawn(columns: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """A table as it is drawn on a terminal so wide."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", screen := Screen())
    print_table(LAYERS, ROWS, NUMBERS)
    return re.sub(r"\x1b\[[01]m", "", screen.getvalue())  # the head is bold


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (120, ["resnet0_stage1_unit1_conv0_fwd", "116 M -> 28.9 M"]),
        (80, ["resnet0_stage1_unit1_conv0_fwd", "2,048 -> 1,024", "2.36 M -> 590 k", "116 M -> 28.9 M"]),
        (72, ["resnet0_stage1…nv0_fwd", "2,048 -> 1,024", "2.36 M -> 590 k", "116 M -> 28.9 M"]),
        (60, ["resnet0_stage1_un…conv0_fwd", "2,048 -> 1,024", "2.36 M -> 590 k"]),
        (40, ["resnet0_stage1_…onv0_fwd", "2,048 -> 1,024"]),
        (20, ["resnet0_stage…v0_fwd"]),
    ],
)
def test_a_table_fits_and_numbers_stay_whole(
    columns: int, shown: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = drawn(columns, monkeypatch).splitlines()
    assert max(map(len, lines)) <= columns and len(lines) == 3
    assert [cell for cell in shown if cell not in lines[2]] == []
    assert ("multiply-adds" in lines[0]) == ("116 M -> 28.9 M" in shown)


def test_numbers_are_left_out_from_the_end() -> None:
    assert fitting([30, 14, 15, 15], NUMBERS, 80) == [0, 1, 2, 3]
    assert fitting([30, 14, 15, 15], NUMBERS, 60) == [0, 1, 2]
    assert fitting([5, 30, 6, 40], frozenset((0, 2)), 40) == [0, 1, 3]
    assert fitting([30], frozenset(), 10) == [0]


def test_names_get_what_numbers_leave() -> None:
    assert name_width([30, 14], frozenset((1,)), 40) == 24
    assert name_width([30, 14], frozenset((1,)), 100) == 30
    assert name_width([40, 14, 60], frozenset((1,)), 58) == 20


def test_a_piped_table_has_whole_rows(capsys: Any) -> None:
    print_table(LAYERS, ROWS, NUMBERS)
    assert capsys.readouterr().out.splitlines()[1] == "  ".join(ROWS[0])


def test_names_on_a_terminal_are_without_what_all_begin_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {name: f"/net/body.{name}" for name in ("conv1", "conv2", "fc")}
    write_network(tmp_path, symbol(names=names))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys, "stdout", screen := Screen())
    assert main(["compile", "net-symbol.json"]) == 0
    lines = re.sub(r"\x1b\[[01]m", "", screen.getvalue()).splitlines()
    assert "names are without /net/body." in lines
    assert [line.split()[0] for line in lines if " -> " in line][-3:] == ["conv1", "conv2", "fc"]


def test_a_model_where_nothing_can_go(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    document = symbol("my_gate")
    for entry in document["nodes"]:
        if entry["op"] != "null":
            entry["op"] = "my_gate"
            entry.pop("attrs", None)
    write_network(tmp_path, document)
    monkeypatch.chdir(tmp_path)
    _, out, _ = run(capsys, "compile", "net-symbol.json", "--criterion", "position")
    assert out.splitlines()[:2] == [
        "              left  before -> after",
        "parameters  100.0%              690",
    ]
    assert "\n\nno channel of this model can go\n" in out and "layer " not in out
