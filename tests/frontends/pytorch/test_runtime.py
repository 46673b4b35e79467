"""Exported programs are run as PyTorch runs them, whole and in parts."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch

from frontends.pytorch.exported import Convolutions, Masked, Tabled, Tied, exported, original
from prunec import PrunecError
from prunec.examples import Data
from prunec.frontends.pytorch.document import program_text
from prunec.frontends.pytorch.model import PytorchModel, read_model
from prunec.graph import Tensor


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(scope="module")
def convolutions(folder: Path) -> PytorchModel:
    return exported(Convolutions(), torch.randn(2, 3, 8, 8), folder / "convolutions.pt2", {0: "batch"})


@pytest.fixture(scope="module")
def tied(folder: Path) -> PytorchModel:
    ids = torch.randint(11, (2, 5))
    return exported(Tied(), ids, folder / "tied.pt2", {0: "batch", 1: "length"})


class Transposed(torch.nn.Module):
    def forward(self, x: Any) -> Any:
        return x.transpose(1, 2).reshape(2, 12)


def program_member(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.read(next(n for n in archive.namelist() if n.endswith("models/model.json"))).decode()


def value(model: PytorchModel, name: str) -> Tensor:
    return model.content.values[name]


def drawn(model: PytorchModel, **shapes: tuple[int, ...]) -> dict[str, np.ndarray]:
    return model.runtime().draw(shapes, 3)


def whole(model: PytorchModel, inputs: dict[str, np.ndarray], *names: str) -> list[np.ndarray]:
    tensors = [value(model, name) for name in names] or None
    return model.runtime().session(inputs, tensors).run(inputs)


def part(model: PytorchModel, feeds: dict[str, np.ndarray], *names: str, **options: Any) -> list[np.ndarray]:
    own = {value(model, name) if name in model.content.values else name: x for name, x in feeds.items()}
    session = model.runtime().segment(own, [value(model, name) for name in names], **options)
    return session.run(own)


def refused(code: str, action: Any) -> str:
    with pytest.raises(PrunecError) as caught:
        action()
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    return "\n".join((diagnostic.headline, diagnostic.where or "", *diagnostic.notes, diagnostic.help or ""))


# --- whole programs ---


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_outputs_are_those_of_pytorch(convolutions: PytorchModel, batch: int) -> None:
    inputs = drawn(convolutions, x=(batch, 3, 8, 8))
    (found,) = whole(convolutions, inputs)
    with torch.no_grad():
        wanted = Convolutions.forward(_loaded(convolutions), torch.from_numpy(inputs["x"]))
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-5, atol=1e-6)


def _loaded(model: PytorchModel) -> Any:
    network = Convolutions().eval()
    names = model.parameter_shapes
    network.load_state_dict({name: torch.from_numpy(np.array(model.parameter(name))) for name in names})
    return network


def test_products_of_open_sizes_are_computed(tied: PytorchModel) -> None:
    inputs = drawn(tied, ids=(3, 7))
    assert inputs["ids"].dtype == np.int64
    (found,) = whole(tied, inputs)
    with torch.no_grad():
        wanted = original(tied.path)(torch.from_numpy(inputs["ids"]))
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-5, atol=1e-6)


def test_an_open_batch_takes_any_number_of_examples(convolutions: PytorchModel) -> None:
    runtime = convolutions.runtime()
    assert runtime.examples({"x": (1, 3, 8, 8)}) == {"x": (None, 3, 8, 8)}
    assert runtime.examples({"x": (4, 3, 8, 8)}) == {"x": (4, 3, 8, 8)}


def test_a_program_of_one_size_runs_at_others_where_it_can(folder: Path) -> None:
    model = exported(Masked(), torch.randn(2, 6), folder / "static.pt2")
    assert model.runtime().examples({"x": (1, 6)}) == {"x": (1, 6)}
    inputs = drawn(model, x=(5, 6))
    (found,) = whole(model, inputs)
    weight, bias = model.parameter("head.weight"), model.parameter("head.bias")
    mask = np.array([0, 0, 1, 1, 1, 0], np.float32)
    np.testing.assert_allclose(found, (inputs["x"] * mask) @ weight.T + bias, rtol=1e-5, atol=1e-6)


def test_elements_are_arranged_as_the_program_says(folder: Path) -> None:
    """Decomposed programs view what they copied."""
    x = torch.randn(2, 3, 4)
    path = folder / "arranged.pt2"
    program = torch.export.export(Transposed(), (x,), strict=False).run_decompositions()
    torch.export.save(program, path)
    assert '"as_memory_format": 1' in program_member(path)
    np.testing.assert_array_equal(whole(read_model(path), {"x": x.numpy()})[0], Transposed()(x).numpy())


def test_other_parameters_take_the_place_of_the_own(convolutions: PytorchModel) -> None:
    inputs = drawn(convolutions, x=(2, 3, 8, 8))
    zeros = {"head.weight": np.zeros((10, 6), np.float32)}
    (found,) = convolutions.runtime().session(inputs, None, zeros).run(inputs)
    np.testing.assert_array_equal(found, np.tile(convolutions.parameter("head.bias"), (2, 1)))


def test_one_parameter_of_two_names_is_replaced_in_both_places(tied: PytorchModel) -> None:
    inputs = drawn(tied, ids=(2, 3))
    (name,) = (name for name, shape in tied.parameter_shapes.items() if shape == (11, 6))
    (found,) = tied.runtime().session(inputs, None, {name: np.zeros((11, 6), np.float32)}).run(inputs)
    assert not found.any()
    (words,) = (
        tied.runtime().session(inputs, [value(tied, "embedding")], {name: np.ones((11, 6))}).run(inputs)
    )
    assert (words == 1).all()


def test_bfloat16_is_run_as_it_is_stored(folder: Path) -> None:
    network = nn_sequence().bfloat16()
    model = exported(network, torch.randn(2, 6).bfloat16(), folder / "half.pt2")
    inputs = drawn(model, input=(2, 6))
    assert inputs["input"].dtype == np.float32
    (found,) = whole(model, inputs)
    with torch.no_grad():
        wanted = original(model.path)(torch.from_numpy(inputs["input"]).bfloat16())
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, wanted.float().numpy())
    # Parameters that are given as float32 are rounded as the program has them.
    same = {name: model.parameter(name) for name in model.parameter_shapes}
    np.testing.assert_array_equal(model.runtime().session(inputs, None, same).run(inputs)[0], found)


def nn_sequence() -> Any:
    return torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3))


def test_statistics_stay_what_they_are(folder: Path) -> None:
    model = exported(Convolutions(), torch.randn(4, 3, 8, 8), folder / "train.pt2", {0: "batch"}, train=True)
    inputs = drawn(model, x=(4, 3, 8, 8))
    session = model.runtime().session(inputs, [value(model, "batch_norm")])
    before = np.array(model.parameter("norm.running_mean"))
    first, second = session.run(inputs)[0], session.run(inputs)[0]
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(model.parameter("norm.running_mean"), before)
    # Computed from the batch: the statistics that it was exported with have no say.
    assert abs(first.mean(axis=(0, 2, 3))).max() < 1e-5


def test_graphs_inside_of_a_program_are_run_where_they_are_called(folder: Path) -> None:
    network = Tabled()
    model = exported(network, torch.randn(2, 6), folder / "tabled.pt2", {0: "batch"})
    (call,) = (node for node in model.program.text.nodes if node.has_graph)
    inputs = drawn(model, x=(3, 6))
    (found,) = whole(model, inputs)
    with torch.no_grad():
        wanted = network(torch.from_numpy(inputs["x"])).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    sines, same = whole(model, inputs, *call.values)
    np.testing.assert_array_equal(same, inputs["x"])
    (found,) = part(model, {call.values[0]: sines * 0, "x": inputs["x"]}, *names_of_outputs(model))
    plain = inputs["x"] @ model.parameter("head.weight").T + model.parameter("head.bias")
    np.testing.assert_allclose(found, plain + inputs["x"][:, :4], rtol=1e-5, atol=1e-6)


def names_of_outputs(model: PytorchModel) -> list[str]:
    names = {tensor: name for name, tensor in model.content.values.items()}
    return [names[tensor] for tensor in model.graph.outputs]


# --- parts ---


def test_values_are_those_before_they_are_written_to(convolutions: PytorchModel) -> None:
    inputs = drawn(convolutions, x=(2, 3, 8, 8))
    before, after = whole(convolutions, inputs, "batch_norm", "relu_")
    assert before.min() < 0
    np.testing.assert_array_equal(np.maximum(before, 0), after)


def test_a_part_computes_what_the_whole_does(convolutions: PytorchModel) -> None:
    inputs = drawn(convolutions, x=(5, 3, 8, 8))
    norm, mean, out = whole(convolutions, inputs, "batch_norm", "mean", "linear")
    (found,) = part(convolutions, {"mean": mean}, "linear")
    np.testing.assert_allclose(found, out, rtol=1e-6)
    kept = norm.copy()
    (found,) = part(convolutions, {"batch_norm": norm}, "mean")
    np.testing.assert_allclose(found, mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(norm, kept)


def test_a_size_behind_its_node_follows_from_what_is_fed(
    convolutions: PytorchModel, tied: PytorchModel
) -> None:
    session = convolutions.runtime().segment(
        {value(convolutions, "mean"): np.ones((7, 6), np.float32)}, [value(convolutions, "linear")]
    )
    assert list(session.numbers.values()) == [7]
    inputs = drawn(tied, ids=(3, 4))
    rows, out = whole(tied, inputs, "reshape", "linear_1")
    # Of the product of two sizes neither follows.
    told = refused("P705", lambda: part(tied, {"reshape": rows}, "linear_1"))
    assert "nothing is given for the input 'ids'" in told and "a size that no other shape tells" in told
    (found,) = part(tied, {"reshape": rows, "ids": inputs["ids"]}, "linear_1")
    np.testing.assert_allclose(found, out, rtol=1e-6)


def test_what_is_fed_and_fetched_is_computed_all_the_same(convolutions: PytorchModel) -> None:
    inputs = drawn(convolutions, x=(2, 3, 8, 8))
    norm, relu = whole(convolutions, inputs, "batch_norm", "relu_")
    first, second = part(convolutions, {"batch_norm": norm + 1, "x": inputs["x"]}, "batch_norm", "relu_")
    np.testing.assert_allclose(first, norm, rtol=1e-6)
    np.testing.assert_allclose(second, np.maximum(norm + 1, 0), rtol=1e-6)
    assert not np.array_equal(second, relu)


def test_parameters_are_fed_by_name(convolutions: PytorchModel) -> None:
    inputs = drawn(convolutions, x=(2, 3, 8, 8))
    feeds = {**inputs, "first.weight": np.zeros((8, 3, 3, 3), np.float32)}
    (found,) = part(convolutions, feeds, "conv2d")
    bias = np.asarray(convolutions.parameter("first.bias")).reshape(1, 8, 1, 1)
    np.testing.assert_allclose(found, np.broadcast_to(bias, found.shape), rtol=1e-6)


def test_what_is_written_through_a_view_belongs_to_a_part(folder: Path) -> None:
    model = exported(Masked(), torch.randn(2, 6), folder / "masked.pt2")
    names = {node.name: node.operator for node in model.graph.nodes}
    (product,) = (name for name, operator in names.items() if operator == "mul.Tensor")
    (found,) = part(model, {"x": np.ones((1, 6), np.float32)}, product)
    np.testing.assert_array_equal(found, [[0, 0, 1, 1, 1, 0]])


def test_what_a_part_does_not_need_may_be_anything(convolutions: PytorchModel) -> None:
    model = with_target(convolutions, 1, "torch.ops.nowhere.nothing.default")
    (found,) = part(model, {"mean": np.ones((2, 6), np.float32)}, "linear")
    assert found.shape == (2, 10)
    assert "nowhere::nothing" in refused("P701", lambda: whole(model, drawn(model, x=(2, 3, 8, 8))))


# --- gradients ---


@pytest.mark.parametrize("labelled", [False, True])
def test_gradients_are_those_of_pytorch(convolutions: PytorchModel, labelled: bool) -> None:
    inputs = drawn(convolutions, x=(6, 3, 8, 8))
    labels = np.arange(6) % 10 if labelled else None
    found = list(convolutions.runtime().gradients(Data("data", inputs, labels, "", 3)))
    assert len(found) == 2
    network = _loaded(convolutions)
    for gradient, start in zip(found, (0, 3)):
        network.zero_grad()
        out = network(torch.from_numpy(inputs["x"][start : start + 3]))
        if labels is None:
            loss = (out**2).sum() / (2 * (out.detach() ** 2).sum())
        else:
            loss = torch.nn.functional.cross_entropy(out, torch.from_numpy(labels[start : start + 3]))
        loss.backward()
        for name, own in network.named_parameters():
            np.testing.assert_allclose(gradient(name), own.grad.numpy(), rtol=1e-4, atol=1e-6)
        assert not gradient("norm.running_mean").any() and gradient("norm.running_mean").shape == (8,)


def test_a_weight_of_two_names_has_the_sum_of_both_gradients(tied: PytorchModel) -> None:
    inputs = drawn(tied, ids=(2, 4))
    (gradient,) = tied.runtime().gradients(Data("data", inputs, None, "", 2))
    network = Tied()
    names = {name: torch.from_numpy(np.array(tied.parameter(name))) for name in tied.parameter_shapes}
    network.load_state_dict(
        {"words.weight": next(x for x in names.values() if x.shape == (11, 6)), **names}, strict=False
    )
    out = network(torch.from_numpy(inputs["ids"]))
    ((out**2).sum() / (2 * (out.detach() ** 2).sum())).backward()
    (name,) = (name for name in names if names[name].shape == (11, 6))
    np.testing.assert_allclose(gradient(name), network.words.weight.grad.numpy(), rtol=1e-4, atol=1e-6)


# --- what is refused ---


def with_target(model: PytorchModel, node: int, target: str) -> PytorchModel:
    """The model with another operator in a node."""
    nodes = list(model.program.text.nodes)
    nodes[node] = replace(nodes[node], target=target)
    return replace(
        model, program=replace(model.program, text=replace(model.program.text, nodes=tuple(nodes)))
    )


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.exec",
        "builtins.eval",
        "torch.load",
        "torch.sym_max.__globals__",
        "torch.ops.load_library",
        "torch.ops.aten.from_file.default",
        "torch.ops.aten.conv2d",
        "torch.ops.aten.conv2d.__call__",
        "torch.ops.aten.__class__.default",
        "torch.ops.debugprims.load_tensor.default",
        "torch.ops.higher_order.cond",
        "torch._ops.ops.aten.conv2d.default",
        "_operator.attrgetter",
        "",
    ],
)
def test_operators_alone_are_called(convolutions: PytorchModel, target: str) -> None:
    model = with_target(convolutions, 1, target)
    told = refused("P701", lambda: whole(model, drawn(model, x=(2, 3, 8, 8))))
    assert "no operator" in told and "a program may call" in told


def test_what_pytorch_says_is_told_with_the_node(convolutions: PytorchModel) -> None:
    told = refused("P701", lambda: whole(convolutions, drawn(convolutions, x=(2, 4, 8, 8))))
    assert "node conv2d: torch.ops.aten.conv2d.default" in told
    assert "expected input[2, 4, 8, 8] to have 3 channels" in told


def test_values_that_are_not_there(convolutions: PytorchModel) -> None:
    inputs = drawn(convolutions, x=(2, 3, 8, 8))
    told = refused("P704", lambda: convolutions.runtime().session(inputs, [Tensor(500, 0)]))
    assert "output 0 of node 500" in told


def test_an_input_that_nothing_is_given_for(convolutions: PytorchModel) -> None:
    told = refused("P705", lambda: convolutions.runtime().session({}))
    assert "nothing is given for the input 'x'" in told


def test_programs_of_other_sizes(convolutions: PytorchModel) -> None:
    """The text of a program with a view of other sizes, and parameters that fit it."""
    import json

    document = json.loads(json.dumps(convolutions.program.document))
    nodes = document["graph_module"]["graph"]["nodes"]
    (view,) = (node for node in nodes if node["target"] == "torch.ops.aten.view.default")
    view["inputs"][1]["arg"]["as_sym_ints"][1:] = [{"as_int": 2}, {"as_int": 2}]
    assert len(program_text(document).nodes) == len(convolutions.program.text.nodes)
    smaller = {
        "second.weight": convolutions.parameter("second.weight")[:4],
        "second.bias": convolutions.parameter("second.bias")[:4],
        "head.weight": convolutions.parameter("head.weight")[:, :4],
    }
    masked = {
        "second.weight": np.array(convolutions.parameter("second.weight")),
        "second.bias": np.array(convolutions.parameter("second.bias")),
    }
    for array in masked.values():
        array[4:] = 0
    inputs = drawn(convolutions, x=(2, 3, 8, 8))
    runtime = convolutions.runtime()
    wanted = runtime.session(inputs, None, masked).run(inputs)[0]
    found = runtime.session(inputs, None, smaller, json.dumps(document).encode()).run(inputs)[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
