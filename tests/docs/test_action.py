"""The GitHub action and the hooks for pre-commit: they parse, and what they call exists and runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Optional

import pytest

yaml = pytest.importorskip("yaml", reason="needs PyYAML, which reads them")

ROOT = Path(__file__).resolve().parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash, which runs the action")
_GOOD = "op   my_scale { data[*x]; scale[1] -> out[*x]  keep *x }\n"
_BAD = "op my_scale { data[*x] -> out[*y] }\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Rules, a model and a plan; prunec on the path, and stand-ins for what would reach out."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "gh").write_text('#!/bin/sh\necho "gh $*" >> "$NOTES"\n')
    (programs / "prunec").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m prunec "$@"\n')
    (programs / "python").write_text('#!/bin/sh\necho "python $*" >> "$NOTES"\n')
    for path in programs.iterdir():
        path.chmod(0o755)
    models = tmp_path / "my models"
    models.mkdir()
    for name in ("digits-symbol.json", "digits-0000.params"):
        shutil.copy(ROOT / "examples" / "digits" / name, models)
    (models / "good rules.prune").write_text(_GOOD)
    (models / "bad.prune").write_text(_BAD)
    plan = run(tmp_path, "prunec plan digits-symbol.json --ratio 0.5 --quiet", {}, "my models")
    assert plan.returncode == 0, plan.stderr
    return tmp_path


def run(
    repository: Path, command: str, environment: dict[str, str], folder: str = "."
) -> subprocess.CompletedProcess[str]:
    """A command as the host runs it."""
    known = {
        **os.environ,
        "PATH": f"{repository / 'programs'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "NOTES": str(repository / "notes"),
        **environment,
    }
    words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command]
    return subprocess.run(
        words, cwd=repository / folder, env=known, capture_output=True, text=True, timeout=300
    )


def step(
    repository: Path, name: str, number: str = "", **given: str
) -> Optional[subprocess.CompletedProcess[str]]:
    """A step with some inputs given, ``None`` where its condition does not hold."""
    values = {f"inputs.{key}": own.get("default", "") for key, own in ACTION["inputs"].items()}
    values.update({f"inputs.{key.replace('_', '-')}": value for key, value in given.items()})
    values.update(
        {"github.action_path": str(ROOT), "github.token": "", "github.event.pull_request.number": number}
    )

    def filled(text: str) -> str:
        return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: values[found[1]], text)

    own = STEPS[name]
    for name_, sign, wanted in re.findall(r"([a-z_.]+) (==|!=) '(.*?)'", own.get("if", "")):
        if (values[name_] == wanted) != (sign == "=="):
            return None
    # What comes from inputs gets into programs through variables alone.
    assert "${{" not in own["run"]
    environment = {key: filled(value) for key, value in own.get("env", {}).items()}
    return run(repository, own["run"], environment, filled(own.get("working-directory", ".")))


@needs_bash
def test_rules_are_checked(repository: Path) -> None:
    inputs: dict[str, Any] = {"working_directory": "my models"}
    good = step(repository, "Check the rules", rules="good rules.prune\n", **inputs)
    assert good is not None and good.returncode == 0, good
    bad = step(repository, "Check the rules", rules="good rules.prune\nbad.prune\n", **inputs)
    assert bad is not None and bad.returncode == 1 and "::error" in bad.stdout + bad.stderr
    assert step(repository, "Check the rules") is None


@needs_bash
@pytest.mark.skipif(find_spec("mxnet") is None, reason="needs MXNet, which proves the result")
def test_a_plan_is_compiled_proved_and_described(repository: Path) -> None:
    inputs = {"working_directory": "my models", "model": "digits-symbol.json", "inputs": "data=8,1,8,8\n"}
    made = step(repository, "Compile and verify", **inputs)
    assert made is not None and made.returncode == 0 and "proved: " in made.stdout, made
    described = step(repository, "Describe the difference", **inputs)
    assert described is not None and described.returncode == 0, described
    comment = (repository / "my models" / "pruned" / "comment.md").read_text("utf-8")
    assert "| 0 `stem_conv_weight` | 32 → 16 |" in comment
    assert step(repository, "Post it", **inputs) is None
    posted = step(repository, "Post it", number="7", **inputs)
    assert posted is not None and posted.returncode == 0
    expected = "gh pr comment 7 --body-file pruned/comment.md --edit-last --create-if-none\n"
    assert (repository / "notes").read_text() == expected


@needs_bash
def test_a_plan_of_another_model_fails_and_posts_nothing(repository: Path) -> None:
    plan = repository / "my models" / "plan.json"
    plan.write_text(re.sub(r'"model": "[0-9a-f]{64}"', f'"model": "{"0" * 64}"', plan.read_text()))
    inputs = {"working_directory": "my models", "model": "digits-symbol.json"}
    failed = step(repository, "Compile and verify", **inputs)
    assert failed is not None and failed.returncode == 1 and "error[P504]" in failed.stderr
    for name in ("Describe the difference", "Post it"):
        done = step(repository, name, number="7", **inputs)
        assert done is not None and done.returncode == 0, done
    assert not (repository / "notes").exists()


@needs_bash
def test_what_is_installed_is_the_action_itself(repository: Path) -> None:
    done = step(repository, "Install", extras="mxnet")
    assert done is not None and done.returncode == 0
    assert (repository / "notes").read_text() == f"python -m pip install {ROOT}[mxnet]\n"


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
@needs_bash
def test_hooks_run(repository: Path, hook: dict[str, Any]) -> None:
    good, bad = (f"my models/{name}" for name in ("good rules.prune", "bad.prune"))
    assert all(re.search(hook["files"], name) for name in (good, bad))
    assert not re.search(hook["files"], "my models/plan.json")
    assert hook["language"] == "python"
    before = (repository / good).read_text()
    done = run(repository, f'{hook["entry"]} "{good}"', {})
    assert done.returncode == 0, done.stderr
    if hook["id"].endswith("fmt"):
        assert (repository / good).read_text() != before
    else:
        assert run(repository, f'{hook["entry"]} "{good}" "{bad}"', {}).returncode == 1


def test_pages_use_inputs_and_hooks_that_there_are() -> None:
    """What docs/report.md and docs/language.md tell to write."""
    report, language = ((ROOT / "docs" / name).read_text("utf-8") for name in ("report.md", "language.md"))
    (block,) = [b for b in re.findall(r"^```yaml\n(.*?)^```", report, re.M | re.S) if "uses: ./tools" in b]
    (used,) = [own for own in yaml.safe_load(block) if "prunec" in own["uses"]]
    assert set(used["with"]) <= set(ACTION["inputs"]) and "model" in used["with"]
    (block,) = re.findall(r"^```yaml\n(.*?)^```", language, re.M | re.S)
    (repository,) = yaml.safe_load(block)["repos"]
    assert {own["id"] for own in repository["hooks"]} == {own["id"] for own in HOOKS}
