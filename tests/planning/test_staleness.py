"""A plan is for groups: what changes them makes it stale, and nothing else does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli.tools import run, symbol, write_network

from prunec.analysis.analyse import Analysis, analyse
from prunec.channels.removal import illegal
from prunec.frontends.mxnet.model import read_model
from prunec.language.library import load
from prunec.planning.members import group_digests

pytestmark = pytest.mark.slow

SAME = "op mine { data[n, c, *x] -> out[n, c, *x] }\n"
HEADLINE = "error[P504]: the plan was made for something else\n"


@pytest.fixture(autouse=True)
def network(tmp_path: Path, monkeypatch: Any) -> Path:
    """A network with an operator that the user's rules describe."""
    monkeypatch.chdir(tmp_path)
    write_network(tmp_path, symbol("mine"))
    (tmp_path / "own.prune").write_text(SAME)
    return tmp_path


def planned(capsys: Any, *options: str) -> None:
    arguments = (
        "net-symbol.json",
        "--rules",
        "default",
        "--rules",
        "own.prune",
        "--out",
        "plan.json",
        *options,
    )
    assert run(capsys, "plan", *arguments)[0] == 0


def read_again(capsys: Any, *options: str) -> tuple[int, str]:
    options = options or ("--rules", "default", "--rules", "own.prune")
    arguments = ("net-symbol.json", "--plan", "plan.json", "--out", "out", "--force", *options)
    code, _, err = run(capsys, "compile", *arguments)
    return code, err


@pytest.mark.parametrize(
    "text",
    [
        f"# a word about it\n{SAME}",
        f"{SAME}## Another.\nop unrelated {{ a[*x], b[*x] -> out[*x] }}\n",
        "op mine { data[*x] -> out[*x] }\n",
        "op mine { data[a, (u v), *b] -> out[a, (u v), *b]  u = 1 }\n",
        # What is written to the file is no matter of groups.
        "op mine { data[n, c, *x] -> out[n, c, *x]  hint macs = n * c }\n",
    ],
)
def test_rules_that_say_the_same(network: Path, capsys: Any, text: str) -> None:
    planned(capsys)
    (network / "own.prune").write_text(text)
    assert read_again(capsys) == (0, "")


def test_the_same_rules_twice_and_in_another_order(network: Path, capsys: Any) -> None:
    planned(capsys)
    assert read_again(capsys, *(("--rules", "own.prune", "--rules", "default") * 2)) == (0, "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("op mine { data[n, c, *x] -> out[n, reverse(c), *x] }\n", "group 0 (conv1_weight) stands for other"),
        ("op mine { data[n, (a + b), *x] -> out[n, (b + a), *x]  a = 3 }\n", "group 0 (conv1_weight) stands"),
        (
            'op mine { data[n, (c p), *x] -> out[n, (c p), *x]  p = 2  keep p because "pairs" }\n',
            "group 0 (conv1_weight) stands for other",
        ),
        (
            'op mine { data[n, c, *x] -> out[n, c, *x]  keep c because "no" }\n',
            "made for 2 groups, and here are 1",
        ),
        ('op mine opaque because "no"\n', "made for 2 groups, and here are "),
    ],
)
def test_rules_that_say_something_else(network: Path, capsys: Any, text: str, words: str) -> None:
    planned(capsys)
    (network / "own.prune").write_text(text)
    code, err = read_again(capsys)
    assert code == 1 and HEADLINE in err
    assert words in err
    assert "note: the rules, or what a policy says of whole rows, are not those of the plan\n" in err


def test_groups_in_another_order(network: Path, capsys: Any) -> None:
    planned(capsys)
    document = json.loads((network / "plan.json").read_text())
    document["group_digests"].reverse()
    (network / "plan.json").write_text(json.dumps(document))
    code, err = read_again(capsys)
    assert code == 1 and HEADLINE in err
    assert "group 0 (conv1_weight) stands" in err and "group 1 (conv2_weight) stands" in err


def test_plans_without_digests(network: Path, capsys: Any) -> None:
    planned(capsys)
    document = json.loads((network / "plan.json").read_text())
    del document["group_digests"]
    (network / "plan.json").write_text(json.dumps(document))
    assert read_again(capsys) == (0, "")
    (network / "own.prune").write_text("# other words\n" + SAME)
    assert read_again(capsys) == (0, "")
    (network / "own.prune").write_text('op mine { data[n, c, *x] -> out[n, c, *x]  keep c because "no" }\n')
    code, err = read_again(capsys)
    assert code == 1 and "note: the plan was made for 2 groups, and here are 1\n" in err
    (network / "own.prune").write_text("# other words\n" + SAME)
    document["groups"][1]["name"] = "fc_weight"
    (network / "plan.json").write_text(json.dumps(document))
    code, err = read_again(capsys)
    assert code == 1 and "note: group 1 (conv2_weight) has another name now\n" in err
    del document["group_units"], document["rules"]
    (network / "plan.json").write_text(json.dumps(document))
    code, err = read_again(capsys)
    assert code == 1 and "note: the plan does not say what its groups are (group_digests, " in err


def test_shapes_that_are_given_later(network: Path, capsys: Any) -> None:
    (network / "net-0000.params").unlink()
    planned(capsys, "--criterion", "position")
    said = json.loads((network / "plan.json").read_text())
    assert len(said["group_digests"]) == 2
    rules = ("--rules", "default", "--rules", "own.prune")
    assert read_again(capsys, *rules, "--input", "data=1,3,8,8") == (0, "")
    assert read_again(capsys, *rules, "--input", "data=2,3,5,7") == (0, "")


@pytest.mark.parametrize("seed", range(20))
def test_digests_follow_what_units_take(network: Path, seed: int) -> None:
    """Whatever a random rule does to channels: with equal digests, every unit takes the same elements."""
    generator = np.random.default_rng(seed)
    texts = []
    for _ in range(4):
        first = int(generator.integers(1, 7))
        texts.append(
            str(
                generator.choice(
                    [
                        f"op mine {{ data[n, (a + b), *x] -> out[n, (b + a), *x]  a = {first} }}",
                        "op mine { data[n, c, *x] -> out[n, reverse(c), *x] }",
                        "op mine { data[n, (a + b), *x] -> out[n, (a + b), *x]  a = "
                        f'{first}  keep a because "no" }}',
                        "op mine { data[n, (u v), *x] -> out[n, (v u), *x]  u = 2 }",
                        "op mine { data[n, (u v), *x] -> out[n, (u v), *x]  u = 4 }",
                        'op mine { data[n, (u v), *x] -> out[n, (u v), *x]  u = 4  keep u because "no" }',
                        "op mine { data[n, c, *x] -> out[n, c, *x] }",
                    ]
                )
            )
        )
    analyses = []
    for text in texts:
        (network / "own.prune").write_text(text + "\n")
        analyses.append(analyse(read_model(network / "net-symbol.json"), load(["default", "own.prune"])))
    for one in analyses:
        for other in analyses:
            alike = group_digests(one) == group_digests(other)
            assert alike == (elements(one) == elements(other))


def elements(analysis: Analysis) -> list[list[Any]]:
    """For each group and unit which elements of which parameters go with it, found by removing it alone, and
    the cells."""
    solution = analysis.solution
    found = []
    for group in solution.groups:
        own: list[Any] = []
        for unit in group.units.tolist():
            gone = []
            for parameter in analysis.parameters:
                sizes = [size or 1 for size in parameter.channels.layout.factors]
                mask = np.zeros(sizes, dtype=bool)
                for factors, array in zip(parameter.channels.layout.arrays, parameter.channels.arrays):
                    hit = solution.units(array) == unit
                    order = np.argsort(factors)
                    shape = [sizes[f] if f in factors else 1 for f in range(len(sizes))]
                    mask |= hit.transpose(order).reshape(shape)
                if mask.any():
                    gone.append((parameter.name, tuple(np.flatnonzero(mask).tolist())))
            own.append(gone)
        first: dict[int, int] = {}
        own.append([first.setdefault(cell, len(first)) for cell in group.cells.tolist()])
        found.append(own)
    assert illegal(solution, np.zeros(solution.unit_count, dtype=bool)) == []
    return found
