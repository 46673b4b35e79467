"""The table of schemas of PyTorch's operators, and what operators are called."""

import json

import pytest

from prunec.frontends.pytorch.names import operator_name, target_of
from prunec.frontends.pytorch.schemas import TABLE, SchemaArgument, schema, schemas
from prunec.language.resources import data_folder


def test_the_table_is_sorted_with_a_line_for_each_operator():
    text = (data_folder("rules") / TABLE).read_text(encoding="utf-8")
    names = list(json.loads(text))
    assert names == sorted(names) and len(names) > 1500
    assert len(text.splitlines()) == len(names) + 2


def test_arguments_are_as_pytorch_writes_them():
    found = schema("conv2d")
    assert found.returns == ("Tensor",)
    assert [(a.name, a.kind, a.default) for a in found.arguments] == [
        ("input", "Tensor", None),
        ("weight", "Tensor", None),
        ("bias", "Tensor?", None),
        ("stride", "SymInt[]", (1, 1)),
        ("padding", "SymInt[]", (0, 0)),
        ("dilation", "SymInt[]", (1, 1)),
        ("groups", "SymInt", 1),
    ]
    assert [a.required for a in found.arguments] == [True, True] + [False] * 5
    assert schema("gelu").argument("approximate") == SchemaArgument(
        "approximate", "str", "none", False, True, False
    )
    assert schema("index_put_").argument("self").writes
    assert schema("index.Tensor").argument("indices").kind == "Tensor?[]"
    assert schema("split_with_sizes").returns == ("Tensor[]",)
    assert schema("lstm.input").returns == ("Tensor",) * 3
    assert schema("no_such_operator") is None


def test_kinds_are_bare():
    """What memory is shared and how many elements a list has does not stand in them."""
    kinds = {a.kind for own in schemas().values() for a in own.arguments}
    kinds |= {kind for own in schemas().values() for kind in own.returns}
    assert "Tensor" in kinds and not [kind for kind in kinds if set(kind) & set("!()0123456789, ")]


def test_no_operator_opens_files_or_writes_into_results():
    arguments = [(name, a) for name, own in schemas().items() for a in own.arguments]
    assert not [name for name, a in arguments if a.name == "filename"]
    assert not [name for name, a in arguments if a.keyword_only and a.writes]
    assert schema("from_file") is None and schema("conv2d.out") is None


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("torch.ops.aten.conv2d.default", "conv2d"),
        ("torch.ops.aten.add.Tensor", "add.Tensor"),
        ("torch.ops.aten.__and__.Tensor", "__and__.Tensor"),
        ("torch.ops.torchvision.nms.default", "torchvision::nms"),
        ("torch.ops.mine.scale.vec", "mine::scale.vec"),
        ("torch.ops.higher_order.cond", "higher_order::cond"),
        ("_operator.mul", "_operator::mul"),
        ("math.floor", "math::floor"),
    ],
)
def test_names(target, name):
    assert operator_name(target) == name
    assert target_of(name) == target


def test_names_of_the_table_round_trip():
    for name in schemas():
        assert operator_name(target_of(name)) == name
