"""The site: every page is in it, and every link and anchor leads somewhere, in the repository as well."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_SPECIFICATION = importlib.util.spec_from_file_location("site_pages", ROOT / "docs" / "site.py")
assert _SPECIFICATION is not None and _SPECIFICATION.loader is not None
site = importlib.util.module_from_spec(_SPECIFICATION)
_SPECIFICATION.loader.exec_module(site)
CONFIG = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
PAGES = site.pages()


def prose(path: Path) -> str:
    """A page without its code."""
    text = re.sub(r"^( *)```.*?^\1```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "`", text)


def anchors(path: Path) -> set[str]:
    """What headings are called in addresses, as GitHub and the site have it."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def test_the_navigation_has_every_page() -> None:
    named = set(re.findall(r": (\S+\.md)$", CONFIG, re.MULTILINE))
    pages = {path.as_posix() for path in PAGES if not re.match(r"docs/decisions/\d", path.as_posix())}
    assert named == pages


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(ROOT / page)):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.is_file(), f"{page}: {link}"
        assert not anchor or anchor in anchors(target), f"{page}: {link}"


def test_pages_that_are_laid_out_are_those_of_the_repository(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "stale.md").write_text("of an earlier run")
    site.lay_out(tmp_path / "pages")
    found = {path.relative_to(tmp_path / "pages") for path in (tmp_path / "pages").rglob("*.md")}
    assert found == set(PAGES) and len(found) > 25
    assert (tmp_path / "pages" / "docs" / "pictures" / "report.png").is_file()


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("mkdocs") is None, reason="needs mkdocs, which `make docs-site` installs"
)
def test_it_is_built_strictly(tmp_path: Path) -> None:
    site.lay_out(ROOT / "build" / "pages")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "prunec.compile" in (tmp_path / "site" / "docs" / "api" / "index.html").read_text("utf-8")
