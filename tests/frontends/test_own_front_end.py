"""A front end that another package brings: found by its entry point, and compiled with from end to end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
TOY = Path(__file__).parent / "toy"


def network() -> dict[str, Any]:
    random = np.random.default_rng(0)

    def weights(*shape: int) -> Any:
        return random.standard_normal(shape).round(3).tolist()

    def mix(name: str, channels: int, source: str, by: str) -> dict[str, Any]:
        attributes = {"channels": channels}
        return {"name": name, "operator": "mix", "attributes": attributes, "inputs": [source, by]}

    return {
        "inputs": {"x": [2, 4]},
        "weights": {"w1": weights(4, 8), "w2": weights(8, 3)},
        "nodes": [
            mix("first", 8, "x", "w1"),
            {"name": "gate", "operator": "rectify", "inputs": ["first"]},
            mix("second", 3, "gate", "w2"),
        ],
        "outputs": ["second"],
    }


def install(folder: Path, module: str, target: str) -> Path:
    """A folder that looks like one that packages are installed in."""
    site = folder / "site"
    package = site / f"{module}-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(f"[prunec.frontends]\ntoy = {target}\n")
    return site


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = install(tmp_path, "toy_front_end", "toy_front_end:FRONT_END")
    for name in ("toy_front_end.py", "toy.prune"):
        shutil.copy(TOY / name, folder / name)
    (tmp_path / "net.toy").write_text(json.dumps(network()))
    return folder


def run(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line in the folder that holds ``site``, whose packages it finds."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(site), str(ROOT)))}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, cwd=site.parent, capture_output=True, text=True)


def test_a_network_is_compiled_and_proved(site: Path) -> None:
    ran = run(site, "-m", "prunec", "compile", "net.toy", "--out", "small", "--verify")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    small = json.loads((site.parent / "small" / "net.toy").read_text())
    assert small["nodes"][0]["attributes"] == {"channels": 4}
    assert (np.shape(small["weights"]["w1"]), np.shape(small["weights"]["w2"])) == ((4, 4), (4, 3))
    # Channels go as a whole: each column that stays is one of the original, with the row that reads it.
    old, new = (
        {key: np.float32(value) for key, value in own["weights"].items()} for own in (network(), small)
    )
    columns = [old["w1"].T.tolist().index(column) for column in new["w1"].T.tolist()]
    assert (new["w2"] == old["w2"][columns]).all()
    assert "proved" in ran.stdout
    assert "+" in (site.parent / "small" / "changes.diff").read_text()


def test_damage_is_found(site: Path) -> None:
    assert run(site, "-m", "prunec", "compile", "net.toy", "--out", "small").returncode == 0
    path = site.parent / "small" / "net.toy"
    small = json.loads(path.read_text())
    small["weights"]["w2"].reverse()
    path.write_text(json.dumps(small))
    ran = run(site, "-m", "prunec", "verify", "net.toy", str(path))
    assert ran.returncode == 1, ran.stdout + ran.stderr


def test_what_is_wrong_with_a_file_its_front_end_says(site: Path) -> None:
    (site.parent / "net.toy").write_text("{")
    ran = run(site, "-m", "prunec", "compile", "net.toy")
    assert ran.returncode == 1 and ran.stderr.startswith("error[TOY1]: this is no toy network\n")


def test_rules_of_operators_that_nothing_runs_cannot_be_proved(site: Path) -> None:
    ran = run(site, "-m", "prunec", "rules", "test", "site/toy.prune")
    assert ran.returncode == 1
    assert ran.stderr.startswith(
        f"error[P714]: the rules `{site / 'toy.prune'}` are for no framework that runs"
    )


def test_rules_are_checked_with_the_operators_of_their_front_end(site: Path) -> None:
    ran = run(site, "-m", "prunec", "rules", "check", "site/toy.prune")
    assert (ran.returncode, ran.stdout) == (0, "2 rules: no errors, no warnings\n"), ran.stdout
    (site.parent / "more.prune").write_text(
        "op rectify(slop) as leaky when slop == 0 {\n  a[*x] -> b[*x]\n}\n"
    )
    ran = run(site, "-m", "prunec", "rules", "check", "more.prune")
    assert ran.returncode == 1 and "two rules match one `rectify`" in ran.stdout
    assert "warning[P725]: Toy's `rectify` has no attribute `slop`" in ran.stdout


def test_a_front_end_that_cannot_be_loaded_is_named(site: Path) -> None:
    (site / "toy_front_end.py").write_text("import a_package_that_is_not_there\n")
    ran = run(site, "-m", "prunec", "compile", "net.toy")
    assert ran.returncode == 1
    assert ran.stderr.startswith("error[P339]: the front end toy cannot be loaded\n")
    assert "entry point toy_front_end:FRONT_END" in ran.stderr
    assert "ModuleNotFoundError: No module named 'a_package_that_is_not_there'" in ran.stderr
    assert "help: repair or remove the package that brings it" in ran.stderr
    assert "Traceback" not in ran.stderr and ran.stderr.count("error[") == 1


def test_what_is_no_front_end_is_refused(site: Path) -> None:
    (site / "toy_front_end.py").write_text("FRONT_END = 1\n")
    ran = run(site, "-m", "prunec", "compile", "net.toy")
    assert (
        ran.returncode == 1 and "TypeError: it is no object of prunec.frontends.base.FrontEnd" in ran.stderr
    )


PROGRAM = """
import sys
from importlib import metadata
from pathlib import Path

def entry_points(*arguments, **options):
    print("looked")
    return real(*arguments, **options)

real, metadata.entry_points = metadata.entry_points, entry_points
from prunec.frontends.registry import front_end
print(front_end(Path(sys.argv[1])).name)
print(*sorted({"mxnet", "onnx", "onnxruntime", "numpy"} & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("net-symbol.json", b"{}", "MXNet\n\n"),
        ("net-0000.params", b"", "MXNet\n\n"),
        ("net.ONNX", b"", "ONNX\n\n"),
        ("net", b'{\n  "nodes": [\n    {\n      "op": "null"', "MXNet\n\n"),
        ("net", b"\x08\x07\x12\x07pytorch", "ONNX\n\n"),
        # The entry point is looked for where no name and no content says anything.
        ("net.toy", b"{}", "looked\nToy\nnumpy\n"),
        ("net", b"some text", "looked\nMXNet\nnumpy\n"),
        ("missing", None, "looked\nMXNet\nnumpy\n"),
    ],
)
def test_packages_are_looked_through_only_where_they_must(
    site: Path, name: str, content: bytes, expected: str
) -> None:
    if content is not None:
        (site.parent / name).write_bytes(content)
    ran = run(site, "-c", PROGRAM, name)
    assert (ran.stdout, ran.stderr) == (expected, "")
