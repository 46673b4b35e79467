"""The part of docs/coverage.md about open sizes beside closed ones; no PyTorch is needed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bench import onnx_closed_coverage, onnx_open_coverage  # noqa: E402
from bench.onnx_closed_coverage import NAMES, exceptions_of, is_wrong, line, rendered, totals  # noqa: E402
from bench.onnx_networks import ARCHITECTURES  # noqa: E402


def size(**changes: Any) -> dict[str, Any]:
    """What a proof at one size gives."""
    found = {
        "shapes": {"x": [3, 6]},
        "outcome": "proved",
        "error": 1e-7,
        "compared": 9,
        "evidence": {"witnessed": 4},
        "unwitnessed": [],
        "statistics": 0,
        "restarts": 0,
        "quality": None,
        "worst": [],
    }
    return {**found, **changes}


def pair(**changes: Any) -> dict[str, Any]:
    """What comes of a pair of exports."""
    found = {
        "name": "bert",
        "run": "dynamo",
        "exported": True,
        "length": True,
        "channels": [1896, 1896],
        "left": [0.27, 0.28],
        "groups": [14, 14],
        "differences": [],
        "reasons": [{"model output": 2}, {"model output": 2}],
        "outcome": "pruned",
        "left_strict": 0.54,
        "sizes": [size(), size(error=3e-7), size()],
    }
    return {**found, **changes}


def test_all_architectures_are_exported_twice() -> None:
    assert len(NAMES) == len(set(NAMES)) >= 66
    texts = {one.name for one in ARCHITECTURES if any(own.below is not None for own in one.inputs)}
    assert len(texts & set(NAMES)) >= 10


@pytest.mark.parametrize(
    ("changes", "wrong", "told"),
    [
        ({}, False, ""),
        ({"differences": ["closed only: 8 units of w axis 0"]}, False, "closed only: 8 units"),
        (
            {
                "differences": ["open only: 8 units"],
                "reasons": [{"model output": 2}, {"Gather: by place": 3}],
            },
            False,
            "layers of the open one 3 more channels stay: `Gather`: by place",
        ),
        ({"sizes": [size(), size(outcome="differs", worst=["y: 1"])]}, True, "at {'x': [3, 6]}: differs"),
        (
            {"sizes": [size(outcome="neither", message="no session")]},
            False,
            "the original does not run either",
        ),
        ({"sizes": [size(outcome="fails", message="no session")]}, True, "it does not run: no session"),
        (
            {"outcome": "refused", "message": "error[P518]: a list\n  help: keep"},
            True,
            "refused: error[P518]: a list",
        ),
        ({"exported": False, "reason": "no operator"}, False, "PyTorch does not export it: no operator"),
    ],
)
def test_what_counts_as_a_failure(changes: dict[str, Any], wrong: bool, told: str) -> None:
    one = pair(**changes)
    assert is_wrong(one) is wrong
    assert told in " ".join(exceptions_of(one)) and bool(exceptions_of(one)) == bool(told)
    assert told in line(one)


def test_the_table_and_the_sums() -> None:
    results = [
        pair(),
        pair(run="torchscript", length=False, differences=["open only: 2 units of w | axis 1"]),
    ]
    text = rendered(results)
    assert (
        "| bert | dynamo | batch, length | 1,896 | 1,896 | the same | 0.270 | 0.280 | 0.540 | 3.0e-07 |"
        in text
    )
    assert "| bert | torchscript | batch | 1,896 | 1,896 | 14 and 14 | 0.270 |" in text
    assert "| bert | torchscript | open only: 2 units of w \\| axis 1 |" in text
    sums = list(totals(results))
    assert "the same groups: 1 of 2" in sums and "architectures with the same groups: 0 of 1" in sums
    assert (
        "exact at all three sizes: 2 of the 2 that run before" in sums
        and "parameters left, open, mean: 0.280" in sums
    )


def test_the_page_says_at_which_sizes() -> None:
    """As the module that runs the models has them, which needs ONNX."""
    pytest.importorskip("onnx", reason="needs onnx")
    pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")
    from bench import onnx_closed

    text = " ".join(rendered([]).split())
    assert f"batches of {', '.join(map(str, onnx_closed.BATCHES))} and" in text
    assert f"of open lengths, {', '.join(map(str, onnx_closed.LENGTHS))} tenths" in text


def test_each_part_of_the_page_is_written_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "coverage.md"
    page.write_text("# Coverage\n", encoding="utf-8")
    for module in (onnx_open_coverage, onnx_closed_coverage):
        monkeypatch.setattr(module, "PATH", page)
    onnx_closed_coverage.write_coverage([pair()])
    onnx_open_coverage.write_coverage([])
    onnx_closed_coverage.write_coverage([])
    assert page.read_text(encoding="utf-8") == f"# Coverage\n{rendered([])}{onnx_open_coverage.rendered([])}"


def test_groups_are_compared_by_what_they_take() -> None:
    """Not by their order, nor by the numbers that exporters give to what they compute."""
    pytest.importorskip("onnx", reason="needs onnx")
    pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")
    from frontends.onnx.network import RULES, Net

    from bench.onnx_closed import differences
    from prunec.analysis.analyse import analyse
    from prunec.frontends.onnx.model import model_of

    def analysed(names: str, width: int = 8) -> Any:
        net = Net()
        x = net.input("x", "n", 5)
        for layer, (name, i, o) in enumerate(zip(names, (5, width, 6), (width, 6, 4))):
            weight = net.weight(f"onnx::MatMul_{name}", i, o)
            x = net.op("Add", net.op("MatMul", x, weight), net.weight(f"network.{layer}.bias", o))
            x = net.op("Relu", x)
        net.output(x, 2)
        return analyse(model_of(net.proto().SerializeToString(), Path("net.onnx")), RULES)

    assert differences(analysed("123"), analysed("321")) == []
    told = differences(analysed("123"), analysed("123", 11))
    assert any("closed only: 8 units of" in own for own in told)
    assert any("open only: 11 units of" in own for own in told)
