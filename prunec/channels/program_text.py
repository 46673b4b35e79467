"""A channel program as text: what a rule does to atoms for nodes of one kind."""

from __future__ import annotations

from typing import Iterator, Sequence

from prunec.channels.layout import ChannelProgram, InputReason, Layout, Reason, Step, TensorResult


def program_text(program: ChannelProgram, inputs: Sequence[Layout]) -> str:
    """The program, a line for each step and each thing it records.

    Values are numbered ``%0`` and up: first the atom arrays of ``inputs``, then what the steps make.
    """
    lines = ["channel program"]
    value = 0
    for number, layout in enumerate(inputs):
        lines.append(f"  input {number} {layout_text(layout, range(value, value + len(layout.arrays)))}")
        value += len(layout.arrays)
    lines += [f"  %{value + n} = {step_text(step)}" for n, step in enumerate(program.steps)]
    lines += [f"  tie %{left} %{right} ({span.place})" for left, right, span in program.ties]
    lines += [f"  keep %{kept}: {_reason(reason)}" for kept, reason in program.keeps]
    lines += [f"  balance %{table} ({span.place})" for table, span in program.balances]
    for table, dimensions, followed, span in program.rows:
        lines.append(f"  rows %{followed} of %{table} along {_numbers(dimensions)} ({span.place})")
    lines += [f"  approximate %{mixed}: {text} ({span.place})" for mixed, text, span in program.approximate]
    lines += [f"  {line}" for line in _results(program)]
    for name, factors in program.names.items():
        parts = (f"{'?' if f.size is None else f.size}{_shrunk(f.arrays)}" for f in factors)
        lines.append(f"  name {name} = {' * '.join(parts) or 1}")
    lines += [
        f"  positions {attribute} through %{atoms}" for attribute, atoms in program.position_atoms.items()
    ]
    return "\n".join(lines) + "\n"


def _results(program: ChannelProgram) -> Iterator[str]:
    for slot, result in program.parameter_layouts.items():
        yield f"parameter {slot} {_result(result)}"
    for number, result in enumerate(program.implied):
        yield f"implied {number} {_result(result)}"
    for number, result in enumerate(program.outputs):
        yield f"output {number} {_result(result)}"


def _result(result: TensorResult) -> str:
    return layout_text(result.layout, result.values)


def layout_text(layout: Layout, values: Sequence[int]) -> str:
    """Axes as products of factors, and the factors that each array of atoms spans."""
    number = 0
    axes = []
    for axis in layout.axes:
        axes.append(" ".join(f"{'?' if size is None else size}" for size in axis) or "1")
        number += len(axis)
    zero = layout.zero or (False,) * len(layout.arrays)
    of_rows = layout.of_rows or (False,) * len(layout.arrays)
    arrays = [
        f"%{value} over {_numbers(factors)}{' zero' if is_zero else ''}{' rows' if rows else ''}"
        for value, factors, is_zero, rows in zip(values, layout.arrays, zero, of_rows)
    ]
    return "; ".join([f"[{', '.join(axes)}]", *arrays])


def step_text(step: Step) -> str:
    """An operation with its arguments; the first is the value it works on, or for ``concat`` several."""
    name, *arguments = step
    if name == "fresh":
        return f"fresh {arguments[0]}"
    first, *rest = arguments
    values = first if isinstance(first, tuple) else (first,)
    return " ".join([str(name), *(f"%{value}" for value in values), *(f"{other}" for other in rest)])


def _reason(reason: Reason) -> str:
    if isinstance(reason, InputReason):
        return f"as factor {reason.factor} of input {reason.slot}"
    return f"{reason.text} ({reason.span.place})"


def _shrunk(arrays: Sequence[tuple[int, int]]) -> str:
    return "".join(f" (%{value} along {dimension})" for value, dimension in arrays)


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
