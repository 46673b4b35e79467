"""Networks in which what goes is an exact combination of what stays: restoring gives the original back, and a
prediction that is folded wrongly does not."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from frontends.onnx.network import Net

from prunec.restoring import moments, passes
from prunec.restoring.records import CUT, MEANS, RESTORED
from restoring.models import Case, method_of

#: How far the outputs may be off where all can be restored, and how far they are at least where something is
#: wrong.
NEAR, FAR = 2e-4, 5e-3

#: Channels that a layer without nonlinearity makes of few inputs are combinations of any as many of them,
#: plus a constant.
GONE = (1, 4, 6)


@pytest.fixture(autouse=True)
def hardly_any_ridge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments, "RIDGE", 1e-9)
    monkeypatch.setattr(moments, "RIDGES", (1e-9,))


def combined(net: Net, inputs: int = 3, channels: int = 8, side: int = 6) -> str:
    """Channels of an image that are combinations of few."""
    return net.conv(net.input("x", "n", inputs, side, side), "made", inputs, channels, 1)


def ended(net: Net, y: str, rank: int, **changes: Any) -> Case:
    net.output(y, rank)
    options = {"gone": {"made_w": GONE}, "shape": (3, 6, 6), "parameter": "read_w", **changes}
    return Case(net, **options)


def convolution() -> Case:
    net = Net()
    return ended(net, net.conv(combined(net), "read", 8, 5, pads=[0] * 4), 4)


def strided_convolution() -> Case:
    net = Net()
    return ended(net, net.conv(combined(net), "read", 8, 5, pads=[0] * 4, strides=[2, 1]), 4)


def padded_convolution() -> Case:
    """Without constants: these end where the padding begins."""
    net = Net()
    case = ended(net, net.conv(combined(net), "read", 8, 5), 4, shifted=False)
    case.values["made_b"] = np.zeros(8)
    return case


def grouped_convolution() -> Case:
    net = Net()
    made = net.conv(net.input("x", "n", 3, 6, 6), "made", 3, 12, 1)
    y = net.conv(made, "read", 12, 4, pads=[0] * 4, group=2)
    return ended(net, y, 4, gone={"made_w": (0, 2, 7, 11)})


def transposed_convolution() -> Case:
    net = Net()
    x = combined(net)
    y = net.op("ConvTranspose", x, net.weight("read_w", 8, 5, 1, 1), net.weight("read_b", 5))
    return ended(net, y, 4)


def transposed_convolution_that_enlarges() -> Case:
    """Without constants: what these come to differs from one element to the next."""
    net = Net()
    x = combined(net)
    inputs = (x, net.weight("read_w", 8, 5, 2, 2), net.weight("read_b", 5))
    case = ended(net, net.op("ConvTranspose", *inputs, strides=[2, 2]), 4, shifted=False)
    case.values["made_b"] = np.zeros(8)
    return case


def grouped_transposed_convolution() -> Case:
    net = Net()
    x = net.conv(net.input("x", "n", 3, 6, 6), "made", 3, 12, 1)
    y = net.op("ConvTranspose", x, net.weight("read_w", 12, 2, 1, 1), net.weight("read_b", 4), group=2)
    return ended(net, y, 4, gone={"made_w": (0, 2, 7, 11)})


def dense() -> Case:
    net = Net()
    x = net.input("x", "n", 3)
    made = net.op("Gemm", x, net.weight("made_w", 8, 3), net.weight("made_b", 8), transB=1)
    y = net.op("Gemm", made, net.weight("read_w", 5, 8), net.weight("read_b", 5), transB=1)
    return ended(net, y, 2, shape=(3,))


def dense_the_other_way() -> Case:
    net = Net()
    x = net.input("x", "n", 3)
    made = net.op("Gemm", x, net.weight("made_w", 8, 3), net.weight("made_b", 8), transB=1)
    y = net.op("Gemm", made, net.weight("read_w", 8, 5), net.weight("read_b", 5))
    return ended(net, y, 2, shape=(3,))


def dense_on_flattened() -> Case:
    net = Net()
    flat = net.op("Flatten", combined(net, side=3))
    y = net.op("Gemm", flat, net.weight("read_w", 5, 72), net.weight("read_b", 5), transB=1)
    return ended(net, y, 2, shape=(3, 3, 3))


def product_and_sum() -> Case:
    net = Net()
    made = net.dense(net.input("x", "n", 4, 3), "made", 3, 8)
    return ended(net, net.dense(made, "read", 8, 5), 3, shape=(4, 3), axis=1)


def product_with_a_constant_on_the_left() -> Case:
    """Rows are the channels: ``W (A x + b)``, without a place for a constant of each row."""
    net = Net()
    x = net.input("x", "n", 3, 5)
    made = net.op("MatMul", net.weight("made_w", 8, 3), x)
    return ended(net, net.op("MatMul", net.weight("read_w", 4, 8), made), 3, shape=(3, 5), shifted=False)


def normalisation_behind() -> Case:
    net = Net()
    weight = net.weight("read_w", 5, 8, 3, 3)
    y = net.op("Conv", combined(net), weight, kernel_shape=[3, 3])
    return ended(net, net.norm(y, "norm", 5), 4)


def reshaped_constant() -> Case:
    net = Net()
    y = net.op("Conv", combined(net), net.weight("read_w", 5, 8, 1, 1), kernel_shape=[1, 1])
    bias = net.op("Reshape", net.weight("read_b", 5), net.numbers("shape", [1, 5, 1, 1]))
    return ended(net, net.op("Add", y, bias), 4)


def no_place_for_a_constant() -> Case:
    """What stays gives the constant, too: four channels of three inputs."""
    net = Net()
    y = net.op("Conv", combined(net), net.weight("read_w", 5, 8, 3, 3), kernel_shape=[3, 3])
    return ended(net, net.op("Relu", y), 4, shifted=False)


def one_number_added_to_everything() -> Case:
    net = Net()
    y = net.op("Conv", combined(net), net.weight("read_w", 5, 8, 6, 6), kernel_shape=[6, 6])
    return ended(net, net.op("Add", y, net.weight("all", 1)), 4, shifted=False)


def normalisation_behind_a_rectifier() -> Case:
    """What is added there comes too late for what the layer makes."""
    net = Net()
    y = net.op("Conv", combined(net), net.weight("read_w", 5, 8, 3, 3), kernel_shape=[3, 3])
    return ended(net, net.norm(net.op("Relu", y), "norm", 5), 4, shifted=False)


def another_layer_before_the_next_constant() -> Case:
    """The constant behind the next layer is that one's own."""
    net = Net()
    y = net.op("Conv", combined(net), net.weight("read_w", 5, 8, 1, 1), kernel_shape=[1, 1])
    return ended(net, net.conv(y, "next", 5, 4, 1), 4, shifted=False)


def gated_feed_forward() -> Case:
    """Channels with one gate and several shares of one value."""
    net = Net()
    x = net.input("x", "n", 4, 5)
    gate, up = (net.op("MatMul", x, net.weight(f"{name}_w", 5, 8)) for name in ("gate", "up"))
    hidden = net.op("Mul", net.op("Mul", gate, net.op("Sigmoid", gate)), up)
    y = net.op("MatMul", hidden, net.weight("read_w", 8, 5))
    random = np.random.default_rng(2)
    gates, ups = random.standard_normal((2, 5, 5))
    twins = [0, 1, 2, 3, 4, 0, 1, 2]
    shares = np.array([1, 1, 1, 1, 1, -0.5, 2.0, 0.3])
    values = {"gate_w": gates[:, twins], "up_w": ups[:, twins] * shares}
    gone = {"gate_w": (5, 6, 7)}
    return ended(net, y, 3, gone=gone, shape=(4, 5), shifted=False, values=values, axis=1)


def attention_values() -> Case:
    net = Net()
    x = net.input("x", "n", 4, 3)
    parts = {}
    for name in ("query", "key", "value"):
        split = net.op("Reshape", net.dense(x, name, 3, 12), net.numbers(f"{name}_shape", [0, 4, 2, 6]))
        parts[name] = net.op("Transpose", split, perm=[0, 2, 3, 1] if name == "key" else [0, 2, 1, 3])
    scores = net.op("Softmax", net.op("MatMul", parts["query"], parts["key"]), axis=-1)
    mixed = net.op("Transpose", net.op("MatMul", scores, parts["value"]), perm=[0, 2, 1, 3])
    joined = net.op("Reshape", mixed, net.numbers("joined", [0, 4, 12]))
    gone = {"value_w": (0, 3, 5, 7, 8, 11)}
    return ended(net, net.dense(joined, "read", 12, 5), 3, gone=gone, shape=(4, 3), axis=1)


def residual_width_behind_a_normalisation() -> Case:
    """Each channel that goes has a twin that stays: the mean and the spread of all are the same."""
    net = Net()
    made = net.dense(net.input("x", "n", 4, 5), "made", 5, 8)
    normal = net.op("LayerNormalization", made, net.weight("scale", 8), net.weight("shift", 8), axis=-1)
    random = np.random.default_rng(2)
    weight, bias = random.standard_normal((5, 4)), random.standard_normal(4)
    values = {"made_w": np.hstack([weight, weight]), "made_b": np.hstack([bias, bias])}
    y = net.dense(normal, "read", 8, 5)
    gone = {"made_w": (4, 5, 6, 7)}
    return ended(net, y, 3, gone=gone, shape=(4, 5), values=values, axis=1, masked=False)


def several_readers() -> Case:
    net = Net()
    x = combined(net)
    first, second = (net.conv(x, name, 8, 5, pads=[0] * 4) for name in ("read", "other"))
    return ended(net, net.op("Mul", first, second), 4)


CASES: list[Callable[[], Case]] = [
    convolution,
    strided_convolution,
    padded_convolution,
    grouped_convolution,
    transposed_convolution,
    transposed_convolution_that_enlarges,
    grouped_transposed_convolution,
    dense,
    dense_the_other_way,
    dense_on_flattened,
    product_and_sum,
    product_with_a_constant_on_the_left,
    normalisation_behind,
    reshaped_constant,
    no_place_for_a_constant,
    one_number_added_to_everything,
    normalisation_behind_a_rectifier,
    another_layer_before_the_next_constant,
    gated_feed_forward,
    attention_values,
    residual_width_behind_a_normalisation,
    several_readers,
]
#: Those behind which no other layer makes up for what is wrong.
ENDING = [own for own in CASES if own is not another_layer_before_the_next_constant]


@pytest.mark.parametrize("build", CASES, ids=lambda own: own.__name__)
def test_what_can_be_predicted_is_restored(build: Callable[[], Case]) -> None:
    case = build()
    subject = case.subject()
    found = case.restored(subject)
    best = found.best
    assert best.name == RESTORED
    assert best.quality.change < NEAR and case.change(subject, best) < NEAR
    fits = {own.parameter: own for own in best.fits}
    assert fits[case.parameter].fitted < NEAR and fits[case.parameter].held < NEAR
    assert found.held and not found.unreadable
    # It would be no news if the cut model did as well.
    assert method_of(found, CUT).quality.change > FAR
    assert method_of(found, MEANS).quality.change > FAR


def _transposed(prediction: Any) -> Any:
    matrix = prediction.matrix.copy()
    own = np.arange(len(matrix))[:, None, None]
    block = matrix[own, prediction.kept[:, :, None], np.arange(matrix.shape[2])[None, None]]
    gone = np.ones(matrix.shape[:2], dtype=bool)
    gone[np.arange(len(matrix))[:, None], prediction.kept] = False
    assert block.shape[1] == block.shape[2]
    matrix[gone] = matrix[gone][:, ::-1]
    return matrix, prediction.kept, prediction.shift


def _permuted(prediction: Any) -> Any:
    return prediction.matrix, np.roll(prediction.kept, 1, axis=1), prediction.shift


def _not_folded(prediction: Any) -> Any:
    matrix = np.zeros_like(prediction.matrix)
    rows = np.arange(len(matrix))[:, None]
    matrix[rows, prediction.kept, np.arange(matrix.shape[2])[None]] = 1.0
    return matrix, prediction.kept, prediction.shift


def _without_shift(prediction: Any) -> Any:
    return prediction.matrix, prediction.kept, np.zeros_like(prediction.shift)


@pytest.mark.parametrize("damage", [_transposed, _permuted, _not_folded, _without_shift])
@pytest.mark.parametrize("build", ENDING, ids=lambda own: own.__name__)
def test_a_wrong_fold_is_seen(
    build: Callable[[], Case], damage: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the tests above would say of a prediction that is applied wrongly."""
    case = build()
    if damage is _without_shift and not case.shifted:
        pytest.skip("there is no shift")
    subject = case.subject()
    right = moments.Moments.predict

    def wrong(own: Any, weight: Any, shifted: bool, copying: bool = False) -> Any:
        found = right(own, weight, shifted, copying)
        if copying or not own.gone.any():
            return found
        matrix, kept, shift = damage(found)
        return passes.Prediction(found.rows, kept, matrix, shift, found.ridge, found.starved)

    monkeypatch.setattr(moments.Moments, "predict", wrong)
    found = case.restored(subject)
    assert case.change(subject, method_of(found, RESTORED)) > FAR
