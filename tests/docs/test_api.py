"""docs/api.md is made of the docstrings, is up to date, and leaves nothing out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import prunec

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "api.md"


def test_the_document_is_what_the_script_prints() -> None:
    made = subprocess.run(
        [sys.executable, "docs/make_api.py"], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE
    )
    assert made.returncode == 0
    assert DOCUMENT.read_bytes() == made.stdout, "run `make docs`"


def test_everything_has_a_section_that_says_something() -> None:
    sections = dict(part.partition("`\n")[::2] for part in DOCUMENT.read_text("utf-8").split("\n### `")[1:])
    assert {name.rpartition(".")[2] for name in sections} >= set(prunec.__all__) | {"prune", "training"}
    for name, text in sections.items():
        said = text.rpartition("```")[2] if name.startswith("prunec.") else text
        assert len(said.strip()) > 20, name
        assert ":class:" not in text and "``" not in text.replace("```", ""), name
