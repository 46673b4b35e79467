"""The wheel: what is in it, how it is described, and that it works where nothing else is installed."""

from __future__ import annotations

import re
import shutil
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

import prunec

from .pythons import environment, pythons, run

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
PYTHONS = pythons()
ENDS = sorted({min(PYTHONS), max(PYTHONS)})
#: One call that is right, and a use of its result that is not.
_PROGRAM = """
from pathlib import Path

import prunec

result = prunec.compile("net.onnx", ratio=0.3)
folder: Path = result.save("smaller")
wrong: str = result.groups
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    python = environment(PYTHONS[ENDS[-1]], folder / "builder")
    if run(python, "-m", "pip", "download", "--quiet", "--no-deps", "hatchling", folder=folder).returncode:
        pytest.skip("needs a package index, which what builds the wheel is from")
    built = run(python, "-m", "pip", "wheel", "--quiet", "--no-deps", ROOT, folder=folder)
    assert built.returncode == 0, built.stderr
    (found,) = folder.glob("prunec-*.whl")
    return found


@pytest.fixture(scope="module", params=ENDS, ids=lambda minor: f"3.{minor}")
def installed(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the wheel, and what it asks for."""
    folder = tmp_path_factory.mktemp(f"python3.{request.param}")
    python = environment(PYTHONS[request.param], folder / "environment")
    done = run(python, "-m", "pip", "install", "--quiet", wheel, folder=folder)
    assert done.returncode == 0, done.stderr
    return python


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        return message_from_bytes(archive.read(name))


def test_everything_that_is_read_is_in_it(wheel: Path) -> None:
    names = names_in(wheel)
    read = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "prunec").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"prunec/py.typed", "prunec/support/codes/P404.md"} <= read <= names
    for folder in ("rules", "grammar"):
        own = {f"prunec/_data/{folder}/{path.name}" for path in (ROOT / folder).iterdir() if path.is_file()}
        assert own and own <= names
    assert not [name for name in names if name.startswith(("tests", "bench", "examples"))]


def test_it_says_what_it_is(wheel: Path) -> None:
    found = metadata(wheel)
    assert found["Version"] == prunec.__version__
    assert found["License-Expression"] == "Apache-2.0" and found["License-File"] == "LICENSE"
    assert {url.split(",")[0] for url in found.get_all("Project-URL")} >= {
        "Source",
        "Documentation",
        "Issues",
    }
    assert "Typing :: Typed" in found.get_all("Classifier")


def test_links_of_the_description_lead_somewhere_from_anywhere(wheel: Path) -> None:
    text = metadata(wheel).get_payload()
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 20
    for link in links:
        address = re.match(r"https://github\.com/prunec/prunec/(?:blob|raw)/main/([^#]+)", link)
        assert link.startswith("https://"), link
        assert address is None or (ROOT / address[1]).exists(), link


def test_an_index_takes_it(wheel: Path, tmp_path: Path) -> None:
    python = environment(PYTHONS[ENDS[-1]], tmp_path / "environment")
    assert run(python, "-m", "pip", "install", "--quiet", "twine", folder=tmp_path).returncode == 0
    done = run(python, "-m", "twine", "check", "--strict", wheel, folder=tmp_path)
    assert done.returncode == 0 and "PASSED" in done.stdout, done.stdout + done.stderr


def test_it_works_alone(installed: Path, tmp_path: Path) -> None:
    """The console script, as `pipx run` starts it, without any framework."""
    for name in ("digits-symbol.json", "digits-0000.params"):
        shutil.copy(ROOT / "examples" / "digits" / name, tmp_path)
    script = installed.with_name("prunec")
    for words, said in (
        ("--version", f"prunec {prunec.__version__}"),
        ("--help", "compile"),
        ("rules list onnx", "Conv"),
        ("explain P404", "P404"),
        (
            "compile digits-symbol.json --ratio 0.5 --input data=8,1,8,8 --no-restore --report --align 1",
            "digits-pruned",
        ),
    ):
        done = run(script, *words.split(), folder=tmp_path)
        assert done.returncode == 0 and said in done.stdout, f"{words}\n{done.stdout}{done.stderr}"
    smaller = (tmp_path / "digits-pruned" / "digits-symbol.json").read_text("utf-8")
    assert '"num_filter": "16"' in smaller
    assert (tmp_path / "digits-pruned" / "report.html").is_file()
    program = "import prunec; print(prunec.compile('digits-symbol.json', ratio=0.5).groups)"
    done = run(installed, "-c", program, folder=tmp_path)
    assert done.stdout == "<5 groups, 256 units>\n", done.stderr


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_type_checkers_see_its_types(wheel: Path, tmp_path: Path, checker: str) -> None:
    python = environment(PYTHONS[ENDS[-1]], tmp_path / "environment")
    if run(python, "-m", "pip", "install", "--quiet", checker, wheel, folder=tmp_path).returncode:
        pytest.skip(f"{checker} cannot be installed")
    (tmp_path / "use.py").write_text(_PROGRAM, encoding="utf-8")
    # Types are read where the package says that it has some, and not guessed.
    (tmp_path / "pyrightconfig.json").write_text('{"useLibraryCodeForTypes": false, "include": ["use.py"]}')
    if checker == "mypy":
        done = run(python, "-m", "mypy", "--strict", "use.py", folder=tmp_path)
    else:
        if run(python, "-m", "pyright", "--version", folder=tmp_path).returncode:
            pytest.skip("pyright cannot fetch what it runs")
        done = run(python, "-m", "pyright", "--pythonpath", python, folder=tmp_path)
    (error,) = [line for line in done.stdout.splitlines() if " error" in line and "use.py:" in line]
    assert "use.py:8:" in error and '"str"' in error, done.stdout
