"""What checks and proofs of rules learn of PyTorch's operators."""

from prunec.frontends.operators import Argument
from prunec.frontends.pytorch.operators import registered, versions


def test_arguments_are_attributes():
    (conv,) = versions("conv2d")
    assert [(a.name, a.kind) for a in conv.arguments] == [
        ("stride", "tuple"),
        ("padding", "tuple"),
        ("dilation", "tuple"),
        ("groups", "integer"),
    ]
    assert conv.version_attributes == {"counts": None, "masks": (), "outputs": 1}
    (attention,) = versions("scaled_dot_product_attention")
    assert attention.argument("scale") == Argument("scale", "float", (), True, False)
    assert versions("gelu")[0].argument("approximate").kind == "text"
    # Element types, devices and memory formats are no attributes.
    assert [a.name for a in versions("zeros_like")[0].arguments] == ["pin_memory"]


def test_a_tensor_may_be_a_number_where_another_overload_takes_one():
    number = Argument("other", "float", (), True, False)
    assert versions("add.Tensor")[0].argument("other") == number
    assert versions("where.self")[0].argument("other") == number
    assert versions("matmul")[0].argument("other") is None
    assert versions("pow.Tensor_Scalar")[0].argument("self") is None
    assert versions("add.Scalar")[0].argument("other") == Argument("other", "float", (), False, True)


def test_outputs_that_are_lists_are_not_counted():
    assert "outputs" not in versions("chunk")[0].version_attributes
    assert versions("lstm.input")[0].version_attributes["outputs"] == 3


def test_operators_that_the_table_does_not_have():
    assert versions("no_such_operator") == ()
    assert "no_such_operator" not in registered()


def test_checks_know_all_arguments():
    known = registered()["add.Tensor"].attributes
    assert known == ("self", "other", "alpha", "outputs", "counts", "masks")
