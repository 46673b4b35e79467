"""CONTRIBUTING.md says what holds: its commands run in a copy of the checkout, in their order, and what it
names exists."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from cli.tools import symbol, write_network

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line
    for language, text in BLOCKS
    if not language
    for line in text.splitlines()
    if line.startswith("prunec ")
]
RULE, HEAD_RULE = (text for language, text in BLOCKS if language == "prune")
HEAD, HEAD_ENTRY, SCORE, ENTRY = (text for language, text in BLOCKS if language == "python")
KEEP = '  keep i, j because "where a row meets a column decides what is left"\n'

needs_mxnet = pytest.mark.skipif(find_spec("mxnet") is None, reason="needs MXNet")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What a newcomer changes of the checkout, with a network of an operator that no rule knows."""
    for name in ("prunec", "grammar", "rules", "examples/digits"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    write_network(tmp_path / "made", symbol("_npi_tril"))
    shutil.copy(tmp_path / "made" / "net-symbol.json", tmp_path / "mask-symbol.json")
    shutil.copy(tmp_path / "made" / "net-0000.params", tmp_path / "mask-0000.params")
    return tmp_path


def run(command: str, copy: Path) -> subprocess.CompletedProcess[str]:
    """Runs a command with the prunec of the copy."""
    environment = {**os.environ, "PYTHONPATH": str(copy), "PRUNEC_CACHE": str(copy / "cache")}
    return subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def add_rule(copy: Path, rule: str = RULE) -> None:
    with open(copy / "rules" / "default.prune", "a", encoding="utf-8") as file:
        file.write(f"\n{rule}")


def add_function(copy: Path) -> None:
    family = copy / "prunec" / "language" / "functions" / "selections.py"
    before, line, after = family.read_text(encoding="utf-8").partition("FUNCTIONS = (\n")
    entry = HEAD_ENTRY.split("\n")[1]
    assert HEAD_ENTRY.startswith(line) and entry.startswith("    Function(")
    family.write_text(f"{before}{HEAD}\n\n{line}{entry}\n{after}", encoding="utf-8")
    (copy / "head.prune").write_text(HEAD_RULE, encoding="utf-8")


def add_criterion(copy: Path) -> None:
    functions = copy / "prunec" / "scoring" / "magnitude.py"
    functions.write_text(f"{functions.read_text(encoding='utf-8')}\n\n{SCORE}", encoding="utf-8")
    table = copy / "prunec" / "scoring" / "criteria.py"
    before, line, after = table.read_text(encoding="utf-8").partition(
        "CRITERIA: Mapping[str, Criterion] = {\n"
    )
    table.write_text(f"{before}{line}{ENTRY}{after}", encoding="utf-8")


@pytest.mark.slow
def test_a_newcomer_walks_through(copy: Path) -> None:
    """Without MXNet, what runs it is left out."""
    assert len(COMMANDS) == 7
    unknown, *operator, function, criterion = COMMANDS
    done = run(unknown, copy)
    assert done.returncode == 0 and "no rule knows the operator _npi_tril" in done.stdout + done.stderr
    add_rule(copy)
    rules = (copy / "rules" / "default.prune").read_bytes()
    for command in operator:
        if find_spec("mxnet") is None:
            if command.startswith("prunec rules test"):
                continue
            command = command.replace(" --verify", "")
        done = run(command, copy)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        if command.startswith("prunec rules test"):
            assert "1 rules: 1 right" in done.stdout
        if "--verify" in command:
            assert "proved" in done.stdout
    assert (copy / "rules" / "default.prune").read_bytes() == rules, "the rule is not in canonical layout"
    assert '"num_filter": "4"' in (copy / "mask-pruned" / "mask-symbol.json").read_text(encoding="utf-8")
    done = run("prunec rules doc default", copy)
    assert RULE.splitlines()[0].removeprefix("## ") in done.stdout
    assert run(function, copy).returncode != 0
    add_function(copy)
    done = run(function, copy)
    assert done.returncode == 0, done.stdout + done.stderr
    add_criterion(copy)
    done = run(criterion, copy)
    assert done.returncode == 0, done.stderr
    plan = json.loads((copy / "spread.json").read_text(encoding="utf-8"))
    assert plan["groups"] and plan["method"]["criterion"] == "spread"


@pytest.mark.slow
@needs_mxnet
@pytest.mark.parametrize(
    ("keep", "verdict"), [("", "wrong "), (KEEP.replace("keep i", "keep *a, i"), "too strict ")]
)
def test_the_proof_finds_what_the_page_says(copy: Path, keep: str, verdict: str) -> None:
    assert KEEP in RULE
    add_rule(copy, RULE.replace(KEEP, keep))
    done = run(f"{COMMANDS[3]} --only numeric", copy)
    assert done.stdout.startswith(verdict), done.stdout + done.stderr
    assert done.returncode == (verdict == "wrong ")


def test_every_room_is_in_the_picture() -> None:
    (picture,) = (text for language, text in BLOCKS if language == "text" and "lowering/" in text)
    rooms = {path.parent.name for path in (ROOT / "prunec").glob("[a-z]*/*.*")}
    assert set(re.findall(r"(?<=\s)([a-z_]+)/(?=\s)", picture)) == rooms


def test_tests_have_the_same_rooms() -> None:
    rooms = {path.parent.name for path in (ROOT / "prunec").glob("[a-z]*/*.*")}
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/*.py")}
    (crossing,) = re.findall(
        r"^The tests have the same rooms\. What crosses them(.*?)\n\n", DOCUMENT, re.M | re.S
    )
    assert folders - rooms == set(re.findall(r"`tests/(\w+)`", crossing))
    assert rooms - folders == {"schemas"}


def test_what_is_named_exists() -> None:
    paths = re.findall(r"(?<![\w/])(?:prunec|rules|tests|docs|bench)/[\w/.-]*\w", DOCUMENT)
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", DOCUMENT) if not link.startswith("http")]
    assert len(paths) > 10 and len(links) > 5
    assert [path for path in {*paths, *links} if not (ROOT / path).exists()] == []


def test_every_decision_is_listed_and_told_in_full() -> None:
    folder = ROOT / "docs" / "decisions"
    index = re.findall(
        r"^(\d+)\. \[(.+)\]\((.+)\)$", (folder / "README.md").read_text(encoding="utf-8"), re.M
    )
    assert [name for _, _, name in index] == sorted(path.name for path in folder.glob("0*.md"))
    for number, title, name in index:
        text = (folder / name).read_text(encoding="utf-8")
        assert text.startswith(f"# {number}. {title}\n") and name.startswith(number.zfill(4))
        assert re.findall(r"^## (.+)$", text, re.M) == ["Context", "Decision", "Consequences"]


def test_subjects_of_commits_are_short() -> None:
    example = BLOCKS[-1][1].splitlines()
    assert re.fullmatch(r"[a-z]+: [a-z].*[^.]", example[0]) and len(example[0]) < 72 and example[1] == ""


# --- make, and what calls it ---


def targets(text: str) -> list[str]:
    return re.findall(r"(?<![\w`])make ([a-z][\w-]*)", text)


def test_what_is_made_is_a_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    known = set(re.findall(r"^([a-z][\w-]*):", makefile, re.MULTILINE))
    named = [*targets(" ".join(text for _, text in BLOCKS)), *re.findall(r"`make ([\w-]+)`", DOCUMENT)]
    assert {"test-fast", "lint", "test"} <= set(named) <= known
    phony = set(re.search(r"^\.PHONY: ((?:.*\\\n)*.*)", makefile, re.MULTILINE)[1].replace("\\", "").split())
    assert phony == known


def test_the_workflow_calls_the_targets_of_the_gate() -> None:
    gate = targets((ROOT / ".ci" / "run").read_text(encoding="utf-8").partition("set -euo")[2])
    workflow = re.findall(
        r"run: make ([\w-]+)", (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    )
    assert gate == workflow == ["lint", "test", "test-exports"]


def test_what_runs_before_a_commit_is_what_lint_runs() -> None:
    """Where lint only looks, the hooks change files."""
    lint = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nlint:")[2].partition("\n\n")[0]
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    linted = [
        words.replace(" --check", "") for words in re.findall(r"\$\(BIN\)/([\w -]+?)(?: \.)?$", lint, re.M)
    ]
    hooked = [
        words.replace(" --force-exclude", "") for words in re.findall(r"entry: \.venv/bin/(.+)$", hooks, re.M)
    ]
    assert linted == hooked == ["ruff format", "ruff check", "mypy"]
