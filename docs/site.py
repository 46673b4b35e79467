"""Lays out the pages of the site as they stand in the repository: ``python docs/site.py build/pages``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: The pages, and the pictures that they show.
_PAGES = ("*.md", "docs/*.md", "docs/decisions/*.md", "examples/*/*.md")
_PICTURES = ("docs/pictures/*.svg", "docs/pictures/*.png", "examples/*/*.svg")
#: Examples of the form of rule tests, which are no pages.
_LEFT_OUT = ("*_test.md",)


def pages() -> list[Path]:
    """The paths of all pages, from the root of the repository on."""
    found = [path.relative_to(ROOT) for pattern in _PAGES for path in sorted(ROOT.glob(pattern))]
    return [path for path in found if not any(path.match(pattern) for pattern in _LEFT_OUT)]


def lay_out(folder: Path) -> None:
    """Copies pages and pictures into a folder that is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    pictures = [path.relative_to(ROOT) for pattern in _PICTURES for path in sorted(ROOT.glob(pattern))]
    for path in (*pages(), *pictures):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, folder / path)


if __name__ == "__main__":
    lay_out(Path(sys.argv[1]))
