"""The recipe for pull requests in docs/report.md: its commands are run as they are written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mxnet", reason="needs MXNet, which the recipe verifies with")
pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash, which runs the recipe")

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
WORKFLOW, _ = re.findall(r"^```yaml\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
#: What stands in for programs that would reach out: each notes its words.
_STAND_IN = """#!/bin/sh
echo "$0 $*" >> "$NOTES"
"""


def steps() -> list[dict[str, str]]:
    """The steps that run something, with their keys."""
    found = []
    for text in WORKFLOW.partition("    steps:\n")[2].split("      - ")[1:]:
        lines = re.findall(r"^ *([\w-]+): +(.*?)(?:   #.*)?$", text, re.MULTILINE)
        if "run" in dict(lines):
            found.append(dict(lines))
    return found


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the example's network and a plan, and stand-ins for pip and gh on the path."""
    models = tmp_path / "models"
    models.mkdir()
    for name in ("digits-symbol.json", "digits-0000.params"):
        shutil.copy(ROOT / "examples" / "digits" / name, models)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("pip", "gh"):
        (programs / name).write_text(_STAND_IN)
    (programs / "prunec").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m prunec "$@"\n')
    for path in programs.iterdir():
        path.chmod(0o755)
    assert run(tmp_path, "prunec plan digits-symbol.json --quiet", "models").returncode == 0
    return tmp_path


def run(repository: Path, command: str, folder: str = ".") -> subprocess.CompletedProcess[str]:
    """A command as the workflow's host runs it."""
    environment = {
        **os.environ,
        "PATH": f"{repository / 'programs'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "NOTES": str(repository / "notes"),
        "NUMBER": "7",
    }
    return subprocess.run(
        ["bash", "-e", "-c", command],
        cwd=repository / folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def workflow(repository: Path) -> list[tuple[str, subprocess.CompletedProcess[str]]]:
    """Runs the steps: after one that failed those alone whose condition holds all the same."""
    results: list[tuple[str, subprocess.CompletedProcess[str]]] = []
    for step in steps():
        condition = step.get("if", "success()")
        failed = any(result.returncode for _, result in results)
        needed = re.search(r"hashFiles\('(.*?)'\) != ''", condition)
        if (failed and "always()" not in condition) or (
            needed is not None and not (repository / needed.group(1)).is_file()
        ):
            continue
        result = run(repository, step["run"], step.get("working-directory", "."))
        results.append((step.get("name", step["run"]), result))
    return results


def test_a_good_plan_is_verified_and_described(repository: Path) -> None:
    results = workflow(repository)
    assert [name for name, _ in results][1:] == ["Compile and verify", "Describe the difference", "Post it"]
    assert [(result.returncode, result.stderr) for _, result in results] == [(0, "")] * 4
    assert "proved: " in results[1][1].stdout
    comment = (repository / "models" / "comment.md").read_text(encoding="utf-8")
    assert comment.startswith("### `digits-symbol.json` → `pruned/digits-symbol.json`\n")
    assert "| 0 `stem_conv_weight` | 32 → 16 |" in comment
    install, post = (repository / "notes").read_text().splitlines()
    assert install.endswith("pip install ./tools/prunec[mxnet]")
    assert post.endswith("gh pr comment 7 --body-file models/comment.md --edit-last --create-if-none")
    assert (repository / "models" / "pruned" / "report.html").is_file()


def test_a_plan_of_another_network_fails_and_posts_nothing(repository: Path) -> None:
    plan = repository / "models" / "plan.json"
    plan.write_text(re.sub(r'"model": "[0-9a-f]{64}"', f'"model": "{"0" * 64}"', plan.read_text()))
    results = workflow(repository)
    assert [(name, result.returncode) for name, result in results][1:] == [("Compile and verify", 1)]
    assert "error[P504]" in results[1][1].stderr


def test_what_is_committed_is_compared(repository: Path) -> None:
    workflow(repository)
    blocks = re.findall(
        r"^```\n(.*?)^```", DOCUMENT.partition("To commit the smaller network")[2], re.MULTILINE | re.DOTALL
    )
    commands = [line for block in blocks for line in block.splitlines()]
    assert [command.split()[0] for command in commands] == ["prunec", "prunec", "cmp"]
    for command in commands:
        result = run(repository, command, "models")
        assert (result.returncode, result.stderr) == (0, ""), command


def test_the_other_commands_of_the_page_work(repository: Path) -> None:
    commands = re.findall(r"^prunec .*$", DOCUMENT.partition("## In a pull request")[0], re.MULTILINE)
    assert run(repository, "prunec compile digits-symbol.json --quiet", "models").returncode == 0
    assert len(commands) == 1
    for command in commands:
        result = run(repository, command, "models")
        assert (result.returncode, result.stderr) == (0, ""), command
