"""Attention in which keys that go are exact combinations of keys that stay: restoring gives the original
back, and queries that are changed wrongly do not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Optional, Sequence

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from frontends.onnx.network import Net

from prunec.examples import Data
from prunec.restoring import moments
from prunec.restoring.mixing import Mixer, Mixing
from prunec.restoring.products import find_products
from prunec.restoring.readers import find_readers
from prunec.restoring.records import CUT, MEANS, RESTORED, Restoration, Subject
from prunec.restoring.restore import restore
from prunec.scoring.criteria import Settings
from prunec.scoring.obs import obs
from prunec.support.diagnostics import Diagnostic, PrunecError
from restoring.models import analysis_of, change_of, data_of, method_of, subject_of, units_of, with_values

#: How far outputs may be off where all can be restored, and how far they are at least where something is
#: wrong.
NEAR, FAR = 2e-4, 5e-3

#: Length, width of what comes in, heads, width of a head.  Keys of so few inputs are combinations of any as
#: many of them, and a constant.
S, W, H, D = 5, 3, 2, 6
#: What goes of each head.
GONE = ((0, 4), (1, 2))


@pytest.fixture(autouse=True)
def hardly_any_ridge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments, "RIDGE", 1e-9)
    monkeypatch.setattr(moments, "RIDGES", (1e-9,))


@dataclass
class Case:
    """A network, and which columns of which parameter go; ``values`` replace drawn parameters.  With
    ``masked`` the masked original computes what the smaller model does."""

    net: Net
    parameter: str = "k_w"
    gone: Sequence[int] = tuple(h * D + d for h, own in enumerate(GONE) for d in own)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    masked: bool = True

    def subject(self) -> Subject:
        analysis = analysis_of(with_values(self.net.proto(), self.values))
        return subject_of(analysis, {self.parameter: self.gone}, axis=1)


def data() -> Data:
    return data_of(examples(96))


def examples(count: int) -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(count).standard_normal((count, S, W)).astype(np.float32)}


def change(subject: Subject, found: Restoration, masked: bool = True) -> float:
    return change_of(subject, method_of(found, RESTORED), examples(7), masked)


# --- networks ------------------------------------------------------------------------------------


def heads(net: Net, x: str, name: str, count: int = H, axes: Sequence[int] = (0, 2, 1, 3)) -> str:
    shape = net.numbers(f"{name}_heads", [0, S, count, D])
    return str(net.op("Transpose", net.op("Reshape", x, shape), perm=list(axes)))


def keys(net: Net, x: str, name: str = "k", count: int = H) -> str:
    return heads(net, x, name, count, (0, 2, 3, 1))


def end(net: Net, scores: str, v: str, softmax: bool = True, count: int = H) -> None:
    scores = net.op("Softmax", scores, axis=-1) if softmax else scores
    y = net.op("Transpose", net.op("MatMul", scores, v), perm=[0, 2, 1, 3])
    y = net.op("Reshape", y, net.numbers("together", [0, S, count * D]))
    net.output(net.dense(y, "out", count * D, 4), 3)


def scaled(net: Net, x: str) -> str:
    return str(net.op("Mul", x, net.numbers("root", D**-0.5, dtype="f")))


def separate(change_of_queries: Optional[Callable[[Net, str], str]] = None, softmax: bool = True) -> Case:
    net = Net()
    x = net.input("x", "n", S, W)
    q, k, v = (net.dense(x, name, W, H * D) for name in "qkv")
    q = heads(net, q, "q")
    q = scaled(net, q) if change_of_queries is None else change_of_queries(net, q)
    end(net, net.op("MatMul", q, keys(net, k)), heads(net, v, "v"), softmax)
    return Case(net)


def without_bias() -> Case:
    net = Net()
    x = net.input("x", "n", S, W)
    q, k, v = (net.op("MatMul", x, net.weight(f"{name}_w", W, H * D)) for name in "qkv")
    scores = net.op("MatMul", heads(net, q, "q"), keys(net, k))
    end(net, scaled(net, scores), heads(net, v, "v"))
    return Case(net)


def without_softmax() -> Case:
    """A constant in the keys is seen: it has to be predicted like an input."""
    return separate(softmax=False)


def fused_by_split() -> Case:
    net = Net()
    x = net.input("x", "n", S, W)
    qkv = net.dense(x, "qkv", W, 3 * H * D)
    q, k, v = net.op("Split", qkv, net.numbers("thirds", [H * D] * 3), outputs=3, axis=2)
    end(net, net.op("MatMul", scaled(net, heads(net, q, "q")), keys(net, k)), heads(net, v, "v"))
    return Case(net, "qkv_w", tuple(H * D + own for own in Case(net).gone))


def fused_by_gather() -> Case:
    """Queries, keys and values lose the same channels."""
    net = Net()
    x = net.input("x", "n", S, W)
    qkv = net.op("Reshape", net.dense(x, "qkv", W, 3 * H * D), net.numbers("parts", [0, S, 3, H, D]))
    qkv = net.op("Transpose", qkv, perm=[2, 0, 3, 1, 4])
    q, k, v = (net.op("Gather", qkv, net.numbers(f"number{n}", n), axis=0) for n in range(3))
    scores = net.op("MatMul", q, net.op("Transpose", k, perm=[0, 1, 3, 2]))
    end(net, scaled(net, scores), v)
    return Case(net, "qkv_w", tuple(n * H * D + own for n in range(3) for own in Case(net).gone))


def grouped_queries() -> Case:
    """Two heads of queries for each of keys, which are repeated."""
    net = Net(opset=18)
    x = net.input("x", "n", S, W)
    q = net.dense(x, "q", W, 2 * H * D)
    k, v = (heads(net, net.dense(x, name, W, H * D), name) for name in "kv")
    shape = net.numbers("repeated", [1, 1, 2, 1, 1])
    merged, new = net.numbers("merged", [0, 2 * H, S, D]), net.numbers("new", [2])
    k, v = (net.op("Expand", net.op("Unsqueeze", own, new), shape) for own in (k, v))
    k, v = (net.op("Reshape", own, merged) for own in (k, v))
    scores = net.op("MatMul", heads(net, q, "q", 2 * H), net.op("Transpose", k, perm=[0, 1, 3, 2]))
    end(net, scaled(net, scores), v, count=2 * H)
    return Case(net, gone=(0, 4, D, D + 4))


def one_operator(queries: int = H, **attributes: Any) -> Case:
    """Attention as one operator; unless told it divides by the root of the width, which becomes smaller."""
    net = Net(opset=23)
    x = net.input("x", "n", S, W)
    q, k, v = (net.dense(x, name, W, count * D) for name, count in (("q", queries), ("k", H), ("v", H)))
    y = net.op("Attention", q, k, v, q_num_heads=queries, kv_num_heads=H, **attributes)
    net.output(net.dense(y, "out", queries * D, 4), 3)
    return Case(net, masked="scale" in attributes)


def one_operator_of_grouped_queries() -> Case:
    return one_operator(2 * H, scale=0.3)


def squashed_queries() -> Case:
    """No matrix gets through what becomes of the queries; but what goes of these repeats what stays, and the
    keys can do their part."""
    case = separate(lambda net, q: str(net.op("Tanh", q)))
    random = np.random.default_rng(1)
    weight, bias = random.standard_normal((W, H, D)), random.standard_normal((H, D))
    for head, gone in enumerate(GONE):
        for own, other in zip(gone, (3, 5)):
            weight[:, head, own], bias[head, own] = weight[:, head, other], bias[head, other]
    case.values = {"q_w": weight.reshape(W, H * D), "q_b": bias.reshape(H * D)}
    return case


CASES: Mapping[str, Callable[[], Case]] = {
    own.__name__: own
    for own in (
        separate,
        without_bias,
        without_softmax,
        fused_by_split,
        fused_by_gather,
        grouped_queries,
        one_operator,
        one_operator_of_grouped_queries,
        squashed_queries,
    )
}


# --- what holds ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_queries_do_what_keys_did(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[name]()
    subject = case.subject()
    found = restore(subject, data())
    assert not found.unreadable
    assert change(subject, found, case.masked) < NEAR
    monkeypatch.setattr(Mixer, "find", lambda self, products: ["not this time" for _ in products])
    left = restore(subject, data())
    assert change(subject, left, case.masked) > FAR
    assert {why for _, why in left.unreadable} == {"not this time"}


def test_examples_predict_without_a_constant_where_no_softmax_follows() -> None:
    for case, centred in ((separate(), True), (without_softmax(), False)):
        subject = case.subject()
        (own,) = _mixings(subject)
        assert own.centred is centred


def _mixings(subject: Subject) -> list[Mixing]:
    mixer = Mixer(subject, find_readers(subject.analysis)[0], data())
    return [own for own in mixer.find(find_products(subject.analysis)[0]) if isinstance(own, Mixing)]


def test_wrong_queries_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Mixer.mixed

    def without_shift(self: Mixer, found: Any, matrices: Any, values: Any) -> Any:
        changed = right(self, found, matrices, values)
        return {name: own for name, own in (changed or {}).items() if name == found.reader.parameter}

    def of_other_head(self: Mixer, found: Any, matrices: Any, values: Any) -> Any:
        return right(self, found, {n: matrices[H - 1 - n] for n in matrices}, values)

    for wrong in (without_shift, of_other_head):

        def mixed(self: Mixer, found: Any, matrices: Any, values: Any, wrong: Any = wrong) -> Any:
            trial = all(len(kept) == D for _, kept in matrices.values())
            return (right if trial else wrong)(self, found, matrices, values)

        monkeypatch.setattr(Mixer, "mixed", mixed)
        subject = separate().subject()
        assert change(subject, restore(subject, data())) > FAR, wrong.__name__


# --- what is left alone --------------------------------------------------------------------------


def turned(net: Net, x: str, name: str) -> str:
    """Positions as rotations of the halves of a head."""
    angles = np.arange(S)[:, None] * np.array([1.0, 0.3, 0.1])
    cos, sin = (
        net.numbers(f"{name}_{part}", np.tile(own(angles), 2), dtype="f")
        for part, own in (("cos", np.cos), ("sin", np.sin))
    )
    halves = net.numbers(f"{name}_halves", [D // 2] * 2)
    low, high = net.op("Split", x, halves, outputs=2, axis=-1)
    other = net.op("Concat", net.op("Neg", high), low, axis=-1)
    return str(net.op("Add", net.op("Mul", x, cos), net.op("Mul", other, sin)))


def rotary() -> Case:
    net = Net()
    x = net.input("x", "n", S, W)
    q, k, v = (heads(net, net.dense(x, name, W, H * D), name) for name in "qkv")
    k = net.op("Transpose", turned(net, k, "k"), perm=[0, 1, 3, 2])
    end(net, scaled(net, net.op("MatMul", turned(net, q, "q"), k)), v)
    return Case(net, gone=(0, 3, D + 1, D + 4))


def queries_taken_twice() -> Case:
    """Something else sees the queries, and the keys are rotated."""
    net = Net()
    x = net.input("x", "n", S, W)
    q, k, v = (heads(net, net.dense(x, name, W, H * D), name) for name in "qkv")
    scores = net.op("MatMul", q, net.op("Transpose", net.op("Tanh", k), perm=[0, 1, 3, 2]))
    end(net, scores, v)
    net.output(net.op("ReduceSum", q, net.numbers("last", [3]), keepdims=0), 3)
    return Case(net)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (rotary, "what stands between a layer and it does not let a matrix through"),
        (queries_taken_twice, "what q_w makes is taken elsewhere, too"),
    ],
)
def test_a_product_that_lets_no_matrix_through_is_left(make: Callable[[], Case], reason: str) -> None:
    subject = make().subject()
    found = restore(subject, data())
    assert [why for _, why in found.unreadable] == [reason]
    assert "q_w" not in found.methods[0].parameters
    assert change(subject, found) > FAR


def test_means_leave_queries_as_they_are() -> None:
    found = restore(separate().subject(), data(), ways=(MEANS,))
    assert sorted(own.name for own in found.methods) == [CUT, MEANS]
    assert (
        method_of(found, MEANS).parameters.keys()
        <= method_of(restore(separate().subject(), data()), MEANS).parameters.keys()
    )


def test_what_cannot_be_tried_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = PrunecError(Diagnostic("P701", "the part does not run"))
    for error, reason in (
        (refusal, "trying it failed: the part does not run"),
        (ValueError("shapes"), "its values have other shapes than the analysis found"),
    ):

        def refused(self: Mixer, product: Any, values: Any, error: Exception = error) -> float:
            raise error

        monkeypatch.setattr(Mixer, "_factor", refused)
        found = restore(separate().subject(), data())
        assert [why for _, why in found.unreadable] == [reason]
        assert "q_w" not in found.methods[0].parameters


# --- choosing ------------------------------------------------------------------------------------


def test_obs_takes_keys_that_others_predict_and_queries_that_are_small() -> None:
    case = without_bias()
    random = np.random.default_rng(2)
    weights = {name: random.standard_normal((W, H, D)) for name in "qk"}
    # Of the first head all queries but two say nothing; of the second the keys are two, repeated.
    weights["q"][:, 0, [0, 2, 3, 5]] *= 1e-3
    weights["k"][:, 1] = weights["k"][:, 1, [0, 0, 0, 1, 1, 1]] * np.array([1, 0.9, 0.9, 1, 0.9, 0.9])
    case.values = {f"{name}_w": own.reshape(W, H * D) for name, own in weights.items()}
    subject = case.subject()
    analysis = subject.analysis
    scores = obs(analysis, Settings("sum", "none", data=data()))
    units = units_of(analysis, "k_w", 1).reshape(H, D)
    left = [sorted(np.argsort(scores[units[head]])[-2:].tolist()) for head in range(H)]
    assert left[0] == [1, 4]
    assert [n // 3 for n in left[1]] == [0, 1]
