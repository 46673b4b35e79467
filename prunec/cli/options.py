"""Options that commands share, and the reading of their values; nothing heavy is imported here."""

from __future__ import annotations

import argparse
import math
from typing import Type, Union

_LARGEST_SIZE = 2**31 - 1
_MOST_AXES = 32


def add_model_options(
    parser: argparse.ArgumentParser, action: Union[str, Type[argparse.Action]] = "store"
) -> argparse.Action:
    """The model, and what helps to understand it.  ``action`` is what argparse does with the path of the
    model; as an object it is returned."""
    model = parser.add_argument(
        "model",
        action=action,
        metavar="MODEL",
        help="the model: an MXNet symbol file (…-symbol.json), an ONNX file (….onnx) or an exported program "
        "of PyTorch (….pt2)",
    )
    parser.add_argument(
        "--params",
        metavar="FILE",
        help="MXNet parameters (default: <prefix>-0000.params beside the model, if there)",
    )
    add_analysis_options(parser)
    return model


def add_analysis_options(parser: argparse.ArgumentParser) -> None:
    """Rules and input shapes."""
    parser.add_argument(
        "--rules",
        metavar="FILE",
        action="append",
        help="rules: a .prune file or the name of a built-in one; repeatable "
        "(default: those of the model's kind, default.prune, onnx.prune or aten.prune)",
    )
    parser.add_argument(
        "--input",
        metavar="NAME=1,3,224,224",
        action="append",
        default=[],
        type=input_shape,
        help="the shape of a model input; repeatable",
    )
    parser.add_argument(
        "--strict", action="store_true", help="keep channels whose removal changes the values of others"
    )


def add_policy_option(parser: argparse.ArgumentParser) -> None:
    """A policy, for commands that show groups as a plan with it has them."""
    parser.add_argument("--policy", metavar="FILE", help="a .prune file: groups are as it has them")


def add_register_option(parser: argparse.ArgumentParser) -> None:
    """Operators written in Python, for commands that run the model.  Nothing else imports a user's file."""
    parser.add_argument(
        "--register",
        metavar="MY_OPS.PY",
        help="a Python file that registers operators of the model with its framework; it is executed",
    )


def add_comparison_options(parser: argparse.ArgumentParser) -> None:
    """What two models are compared on, besides examples from --data."""
    parser.add_argument(
        "--value",
        metavar="NAME=16000",
        action="append",
        default=[],
        type=setting,
        help="compare with this number in an input that is a setting; repeatable",
    )
    parser.add_argument(
        "--seeds", metavar="N", default=1, type=seed_count, help="compare on N draws of random inputs"
    )


def setting(text: str) -> tuple[str, float]:
    """``NAME=16000`` as a name and a number."""
    name, sign, number = text.rpartition("=")
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if not sign or not name or not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=16000")
    return name, value


def seed_count(text: str) -> int:
    """A number of draws, from 1 to 1000."""
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:5]) <= 1000:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of draws: a whole number from 1 to 1000 is"
        )
    return int(text)


def check_means(options: argparse.Namespace) -> None:
    """Means without examples are a usage error."""
    if options.means and options.data is None:
        options.parser.error("argument --means: means are taken over examples; give some with --data")
    if options.means and options.restore is False:
        options.parser.error("argument --means: it restores means; leave out --no-restore")


def check_restore(options: argparse.Namespace) -> None:
    """Restoring without examples, or beside --compensate, is a usage error."""
    if not options.restore:
        return
    if options.data is None:
        options.parser.error(
            "argument --restore: what goes is learned from examples; give some hundred with --data"
        )
    if options.compensate:
        flag = "means" if options.means else "restore"
        options.parser.error(f"argument --compensate: --{flag} makes up for more; leave out --compensate")


def input_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """``NAME=1,3,224,224`` as a name and a shape."""
    name, sign, sizes = text.rpartition("=")
    if not sign or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=1,3,224,224")
    shape: list[int] = []
    for size in sizes.strip("()").split(","):
        size = size.strip()
        if not size and shape and sizes.rstrip(") ").endswith(","):
            continue  # a comma at the end, as in (8,)
        if not (size.isascii() and size.isdigit()) or not 1 <= int(size[:11]) <= _LARGEST_SIZE:
            raise argparse.ArgumentTypeError(
                f"{size!r} in {text!r} is not a size: sizes are whole numbers from 1 on, with commas between"
            )
        shape.append(int(size))
    if len(shape) > _MOST_AXES:
        raise argparse.ArgumentTypeError(f"{len(shape)} axes in {text[:40]!r}…: at most {_MOST_AXES}")
    return name, tuple(shape)


def ratio(text: str) -> float:
    """A share in [0, 1), as ``0.4`` or ``40%``."""
    number, percent, rest = text.partition("%")
    try:
        value = float(number) / (100 if percent else 1)
    except ValueError:
        value = -1.0
    if rest or not 0 <= value < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a share: a number from 0 (nothing goes) to below 1 is, such as 0.4 or 40%"
        )
    return value


def input_shapes(options: argparse.Namespace) -> dict[str, tuple[int, ...]]:
    """The shapes given with ``--input``; one input given two shapes is a usage error."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in options.input:
        if shapes.setdefault(name, shape) != shape:
            options.parser.error(
                f"argument --input: {name!r} is given two shapes, {shapes[name]} and {shape}"
            )
    return shapes
