"""What is a branch and can go, and why others stay: small graphs at which a naive tool goes wrong."""

from __future__ import annotations

import pytest

from prunec.analysis.analyse import analyse
from prunec.authoring.graph_text import read_graph
from prunec.branches.find import branches_text, find_branches
from prunec.language.library import load
from prunec.support.diagnostics import Source

HEAD = """
input x[2, 6, 5, 5]
param v[4, 6, 1, 1]
param w[4, 4, 1, 1]
param c[4]
s = Conv(x, v)
"""
LAYER = "f = Conv(s, w, c)\n"
TAIL = "param z[3, 4, 1, 1]\no = Conv(y, z)\noutput o\n"


def told(text: str) -> str:
    """What is said of the branches of a graph."""
    source = Source("graph", text)
    analysis = analyse(read_graph(source, 0, len(text)), load(["onnx"]))
    return branches_text(analysis, find_branches(analysis))


def test_a_branch_goes_with_the_last_layer_masked() -> None:
    text = (
        HEAD + "param u[4, 4, 1, 1]\nr = Conv(s, u)\nq = Relu(r)\nf = Conv(q, w, c)\ny = Add(f, s)\n" + TAIL
    )
    first, second = told(text).splitlines()
    assert first == "s into y: 0 nodes, 0 elements; kept: 's' is read by 'r' too"
    assert second == "f into y: 3 nodes, 36 elements; zero with w, c"


def test_a_normalisation_behind_masks() -> None:
    norm = "".join(f"param {name}[4]\n" for name in ("scale", "shift", "mean", "var"))
    text = (
        HEAD
        + LAYER
        + norm
        + "n = BatchNormalization(f, scale, shift, mean, var, opset=15)\ny = Add(n, s)\n"
        + TAIL
    )
    (line,) = [line for line in told(text).splitlines() if line.startswith("n ")]
    assert "2 nodes, 36 elements; zero with scale, shift, mean" in line and "var" not in line


#: What is built on the stem ``s`` and the layer ``f``, and what is said of what ends in ``y``.
TRAPS = {
    "read elsewhere": (LAYER + "y = Add(s, f)\ne = Relu(f)\noutput e\n", "'f' is read by 'e' too"),
    "an output": (LAYER + "y = Add(s, f)\noutput f\n", "'f' is an output of the model"),
    "added twice": (LAYER + "y = Add(f, f)\n", "'y' reads 'f' more than once"),
    "shared weights": (
        LAYER + "g = Conv(s, w)\nh = Softmax(g)\nm = Mul(h, s)\nt = Add(s, f)\ny = Add(t, m)\n",
        "the parameter 'w' serves other nodes too",
    ),
    "not zero": (LAYER + "g = Sigmoid(f)\ny = Add(s, g)\n", "make 'g' zero everywhere"),
    "broadcast": (
        LAYER + "p = GlobalAveragePool(s)\ny = Add(p, f)\n",
        "what would be left has the shape (2, 4, 1, 1), not (2, 4, 5, 5)",
    ),
    "subtracted from": (LAYER + "y = Sub(f, s)\n", None),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_what_cannot_go_stays_with_its_reason(trap: str) -> None:
    body, reason = TRAPS[trap]
    said = told(HEAD + body + TAIL)
    free = [line for line in said.splitlines() if "zero with" in line]
    assert not free, said
    if reason is None:
        assert "f into y" not in said
    else:
        assert reason in said


def test_an_input_that_nothing_else_reads_keeps_what_reads_it() -> None:
    text = HEAD + "input k[2, 4, 5, 5]\nf = Conv(k, w, c)\ny = Add(s, f)\n" + TAIL
    assert "f into y: 1 nodes, 20 elements; kept: nothing would read the model input 'k'" in told(text)


def test_of_both_sides_each_could_go() -> None:
    text = HEAD + LAYER + "param u[4, 4, 1, 1]\ng = Conv(s, u)\ny = Add(f, g)\n" + TAIL
    said = told(text)
    assert "f into y: 1 nodes, 20 elements; zero with w, c" in said
    assert "g into y: 1 nodes, 16 elements; zero with u" in said


def test_a_branch_within_a_branch() -> None:
    inner = "param u[4, 4, 1, 1]\na = Conv(s, u)\ng = Conv(a, w, c)\nh = Add(a, g)\n"
    text = HEAD + inner + "param t[4, 4, 1, 1]\nf = Conv(h, t)\ny = Add(s, f)\n" + TAIL
    said = told(text)
    assert "g into h: 1 nodes, 20 elements; zero with w, c" in said
    assert "f into y: 4 nodes, 52 elements; zero with t" in said
