"""The part of docs/coverage.md about ONNX, and what it is made of; no PyTorch is needed."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bench import coverage, onnx_corpus, onnx_coverage  # noqa: E402
from bench.onnx_coverage import EXPORTERS, TORCH_PRUNING, is_wrong, rendered, totals  # noqa: E402
from bench.onnx_networks import ARCHITECTURES, architecture  # noqa: E402


def compared(
    error: float = 1e-7, unwitnessed: tuple[str, ...] = (), statistics: int = 0, removes: bool = True
) -> dict[str, Any]:
    """What a proof comes to."""
    worst = [] if error <= 1e-4 else [f"y: relative error {error:.1e}, more than 1e-04"]
    return {
        "error": error,
        "outcome": "differs" if worst else "not proved" if unwitnessed else "proved",
        "evidence": {"witnessed": 3} if removes else {},
        "unwitnessed": list(unwitnessed),
        "worst": worst,
        "statistics": statistics,
    }


HARDLY = "w: a wrong slice would hardly show at conv"


def export(name: str, run: str = "dynamo", **changes: Any) -> dict[str, Any]:
    """What compiling one export gives."""
    found = {
        "exported": True,
        "outcome": "pruned",
        "nodes": 40,
        "channels": 200,
        "removable": 100,
        "reasons": {"model output": 60, "Gather: chosen by number": 40},
        "groups": 3,
        "approximate": 0,
        "barriers": {},
        "left": 0.25,
        "left_strict": 0.5,
        "seconds": 0.5,
        "memory": 100,
        "free": compared(),
        "strict": compared(),
    }
    return {"name": name, "run": run, **found, **changes}


def pruned_by_torch(name: str, **changes: Any) -> dict[str, Any]:
    found = {"seconds": 1.5, "memory": 700, "left": 0.3, "runs": True, "reason": ""}
    return {"name": name, "run": TORCH_PRUNING, **found, **changes}


REFUSED = {"exported": True, "outcome": "refused", "code": "P404", "message": "error[P404]: sizes differ\n…"}
NOT_EXPORTED = {"name": "vit", "run": "torchscript", "exported": False, "reason": "unsupported operator"}


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, False),
        ({"strict": compared(0.1)}, True),
        ({"free": compared(0.1)}, True),
        ({"free": compared(0.1), "approximate": 2}, True),
        ({"strict": compared(unwitnessed=(HARDLY,))}, False),
        ({"outcome": "traceback", "message": "KeyError"}, True),
        ({"outcome": "refused", "message": "error[P404]: sizes differ"}, False),
    ],
)
def test_what_counts_as_a_failure(changes: dict[str, Any], wrong: bool) -> None:
    assert is_wrong(export("vit", **changes)) is wrong


def test_what_others_cannot_do_is_no_failure() -> None:
    assert not is_wrong(NOT_EXPORTED)
    assert not is_wrong(pruned_by_torch("vit", runs=False, reason="IndexError"))


def test_the_sums() -> None:
    results = [
        export("vit"),
        NOT_EXPORTED,
        export("resnet18", strict=compared(0.1)),
        {"name": "resnet18", "run": "torchscript", **REFUSED},
        pruned_by_torch("vit"),
        pruned_by_torch("resnet18", runs=False),
    ]
    lines = list(totals(results))
    assert "architectures: 2, of 2 tried" in lines
    assert "exports: 3, of 4 tried" in lines
    assert "exported by torchscript: 1 of 2" in lines
    assert "refused: 1" in lines
    assert "not run by ONNX Runtime: 0" in lines
    assert "proved: 1 of 3; largest error 1e-07" in lines
    assert "not proved: 0" in lines
    worst = "y: relative error 1.0e-01, more than 1e-04"
    assert f"differs: 1: {worst}: resnet18 (dynamo)" in lines
    assert "proved, pruned freely: 2 of 3, 0 of them but for statistics" in lines
    assert "channels that can go: 200 of 400 (50.0%; 71.4% without model outputs)" in lines
    assert lines[-1] == (
        "prunec succeeds on 1 of 2 architectures, Torch-Pruning on 1 of 2. Means over the 1 where both do:"
        " parameters left 0.250 and 0.300, time 0.50 and 1.50 s, memory 100 and 700 MB."
    )


def test_what_is_not_proved_is_told_by_kind() -> None:
    results = [
        export(name, strict=compared(unwitnessed=(f"{name}.w: a wrong slice would hardly show at {name}",)))
        for name in ("vit", "bert")
    ]
    results += [export("swin", strict=compared(removes=False), free=compared(statistics=2))]
    results += [export("dla", outcome="refused", code="P702", message="error[P702]: it does not run\n")]
    lines = list(totals(results))
    why = "a wrong slice would hardly show in what is compared: vit (dynamo), bert (dynamo)"
    assert f"not proved: 2: {why}" in lines
    assert "proved: 0 of 4; largest error 0e+00" in lines
    assert "nothing goes: 1" in lines
    assert "proved, pruned freely: 3 of 4, 1 of them but for statistics" in lines
    assert "refused: 0" in lines and "not run by ONNX Runtime: 1" in lines


def test_the_tables() -> None:
    text = rendered([export("vit"), NOT_EXPORTED, pruned_by_torch("vit", runs=False, reason="a | b")])
    assert text.startswith(coverage.ONNX_HEADING)
    assert "| vit | torchscript | PyTorch does not export it: unsupported operator |" in text
    row = "| vit | dynamo | 40 | 50.0% | 0.250 | 0.500 | 3 |  | 1e-07 | 0.50 | 100 |"
    assert f"{row} 40 × `Gather`: chosen by number |" in text
    assert "| vit | 0.250 | 0.50 | 100 |  | |  | fails: a \\| b |" in text
    assert "| vit | dynamo | 40 of 200 (20.0%) | 40 × `Gather`: chosen by number |" in text


@pytest.mark.parametrize(("learned", "odd"), [(0.2001, False), (0.22, True)])
def test_why_torch_pruning_leaves_less(learned: float, odd: bool) -> None:
    results = [export("vit", reasons={"model output": 100}, left_learned=learned)]
    text = rendered([*results, pruned_by_torch("vit", left=0.2)])
    assert (f"counts parameters alone, of which prunec leaves {learned:.3f}" in text) is True
    assert ("larger half" in text) is odd
    assert "keep channels" not in text


def test_without_torch_pruning_its_table_is_left_out() -> None:
    text = rendered([export("vit", strict=compared(unwitnessed=(HARDLY,)))])
    assert "Torch-Pruning" not in text
    assert f"| vit | dynamo | not proved, pruned strictly: {HARDLY} |" in text


def test_either_part_of_the_page_is_written_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "coverage.md"
    page.write_text("# Coverage\n\nMXNet\n", encoding="utf-8")
    monkeypatch.setattr(onnx_coverage, "PATH", page)
    onnx_coverage.write_coverage([export("vit")])
    onnx_coverage.write_coverage([export("resnet18")])
    before, after = coverage.parts(page.read_text(encoding="utf-8"))
    assert before == "# Coverage\n\nMXNet\n"
    assert after == rendered([export("resnet18")])
    monkeypatch.setattr(coverage, "PATH", page)
    monkeypatch.setattr(coverage, "_rendered", lambda measured: "# Coverage\n\nMXNet anew\n")
    coverage.write_coverage([])
    assert coverage.parts(page.read_text(encoding="utf-8")) == ("# Coverage\n\nMXNet anew\n", after)


def test_what_a_process_leaves(tmp_path: Path) -> None:
    found = onnx_corpus.process(["bench.no_such_module"], 60.0)
    assert (found["outcome"], found["runs"]) == ("traceback", False)
    assert "No module named bench.no_such_module" in found["message"]
    path = tmp_path / "results.jsonl"
    path.write_text("".join(json.dumps(export("vit", groups=n)) + "\n" for n in (1, 2)), encoding="utf-8")
    assert onnx_corpus.read_results(path)["vit", "dynamo"]["groups"] == 2


def test_the_architectures() -> None:
    names = [one.name for one in ARCHITECTURES]
    assert len(names) >= 40 and len(set(names)) == len(names)
    assert {one.library for one in ARCHITECTURES} == {"torchvision", "timm", "transformers"}
    masks = [architecture(name).attends for name in ("bert", "llama", "whisper")]
    assert masks == [None, "attention_mask", "decoder_attention_mask"]


# --- the page as it is ---


def onnx_part() -> str:
    return coverage.parts(coverage.PATH.read_text(encoding="utf-8"))[1]


def rows(title: str) -> list[list[str]]:
    """The rows of the table under a heading, cells stripped."""
    part = re.split(r"\n###? ", onnx_part().partition(f"\n### {title}\n")[2])[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_every_architecture_is_in_the_page() -> None:
    exports = {(row[0], row[1]) for row in rows("Exports")}
    exceptions = {(row[0], row[1]): row[2] for row in rows("Exceptions")}
    for one in ARCHITECTURES:
        for exporter in EXPORTERS:
            key = (one.name, exporter)
            assert key in exports or exceptions[key].startswith("PyTorch does not export it: "), key
    assert [row[0] for row in rows("Beside Torch-Pruning")] == [one.name for one in ARCHITECTURES]


def test_the_sums_of_the_page_are_those_of_its_tables() -> None:
    sums = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", onnx_part().partition("\n### ")[0], re.M))
    exports = rows("Exports")
    proved = [row for row in exports if re.fullmatch(r"\d+e[-+]\d+", row[8])]
    assert sums["proved"].startswith(f"{len(proved)} of {len(exports)};")
    assert sums["exports"].startswith(f"{len(exports)}, of {2 * len(ARCHITECTURES)}")
    assert sums["with approximate groups"] == str(sum(row[7] != "" for row in exports))
    assert sums["tracebacks"] == "0"
    left = [float(row[4]) for row in exports]
    assert abs(float(sums["parameters left, mean"]) - sum(left) / len(left)) < 1e-3


def test_the_page_has_the_texts_that_it_is_rendered_with() -> None:
    text = onnx_part()
    for template in (onnx_coverage._INTRODUCTION, onnx_coverage._TABLE, onnx_coverage._BESIDE):
        for piece in re.split(r"\{\w+\}", template):
            assert piece in text, piece
    assert (rows("Exceptions") == []) == ("### Exceptions" not in text)
