"""The rules for PyTorch's operators, against the table of schemas."""

from functools import lru_cache

import pytest

from prunec.authoring.registered_operators import check_attributes
from prunec.frontends.pytorch.operators import registered
from prunec.frontends.pytorch.schemas import schema, schemas
from prunec.language.check import check
from prunec.language.parser import parse
from prunec.language.resources import data_folder
from prunec.support.diagnostics import Source

NAME = "aten.prune"
#: Operators that are not in the table, by the libraries that they come from.
OTHERS = {"torchvision", "transformers", "higher_order", "quantized_decomposed"}
#: Where a rule states another default than the schema, and why.
OTHER_DEFAULTS = {
    ("amax", "dim"): "an empty list names all axes, as None does",
    ("amin", "dim"): "an empty list names all axes, as None does",
}


@lru_cache(maxsize=1)
def rule_file():
    path = data_folder("rules") / NAME
    return parse(Source(NAME, path.read_text(encoding="utf-8")))


def test_nothing_is_wrong_with_the_rules():
    """Attributes are checked here even where PyTorch's front end is not asked."""
    known = registered()
    found = [d for rule in rule_file().rules for d in check_attributes(rule, NAME, known)]
    assert not [(d.code, d.headline) for d in (*check([rule_file()]), *found)]


def test_rules_name_operators_of_the_table():
    """Or of libraries that bring their own."""
    names = {operator.name for rule in rule_file().rules for operator in rule.operators}
    unknown = {name for name in names if name not in schemas()}
    assert {name.partition("::")[0] for name in unknown if "::" in name} <= OTHERS
    assert not [name for name in unknown if "::" not in name]


def same(stated, default):
    """Whether two defaults mean the same; a single number stands for all of a list."""
    if isinstance(default, tuple) and default and not isinstance(stated, tuple):
        return set(default) == {stated}
    return stated == default and isinstance(stated, bool) == isinstance(default, bool)


def wrong_defaults(rules):
    """The attributes of rules whose defaults are not those of the schemas.  What a file always has may have
    any."""
    for rule in rules:
        for operator in rule.operators:
            own = schema(operator.name)
            for attribute in rule.attributes if own is not None else ():
                argument = own.argument(attribute.name)
                if argument is None or argument.required or argument.kind.startswith("Tensor"):
                    continue
                missing = attribute.default is None
                if missing or not same(attribute.default.value, argument.default):
                    yield operator.name, attribute.name


def test_defaults_are_those_of_the_schemas():
    """A file leaves arguments out that equal the default: a rule that states another computes wrong sizes."""
    assert set(wrong_defaults(rule_file().rules)) == set(OTHER_DEFAULTS)


@pytest.mark.parametrize(
    ("header", "wrong"),
    [
        ("conv2d(stride = 1, groups = 1)", []),
        ("conv2d(stride = 2)", [("conv2d", "stride")]),
        ("conv2d(groups)", [("conv2d", "groups")]),
        ("softmax.int(dim = 1)", []),
        ("flatten.using_ints(end_dim = 1)", [("flatten.using_ints", "end_dim")]),
        ("sum.dim_IntList(keepdim = 0)", [("sum.dim_IntList", "keepdim")]),
    ],
)
def test_wrong_defaults_are_found(header, wrong):
    rules = parse(Source("x.prune", f'op {header} opaque because "of that"')).rules
    assert list(wrong_defaults(rules)) == wrong
