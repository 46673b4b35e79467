"""`prunec.compile`: what the command does, in one call that keeps the result."""

from __future__ import annotations

import os
import weakref
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Callable, Mapping, Optional, Sequence, Union

from prunec import __version__
from prunec.analysis.analyse import Analysis
from prunec.channels.removal import Removed
from prunec.cli.artefacts import PLAN
from prunec.cli.compile_command import compiling
from prunec.cli.inputs import read_inputs
from prunec.compiling.calling import Examples, FileName, example_file, parsed, repeated, valued
from prunec.compiling.result import CompiledModel
from prunec.planning.checked import check_choice, widths_after
from prunec.planning.choose import Plan
from prunec.planning.members import group_digests, group_members, group_names
from prunec.planning.planfile import plan_text

#: An algorithm of one's own: which units go, truth values of the shape (units,).
Choice = Callable[[Analysis], Removed]


def compile(
    model: FileName,
    *,
    parameters: Optional[FileName] = None,
    rules: Union[FileName, Sequence[FileName], None] = None,
    input_shapes: Optional[Mapping[str, Sequence[int]]] = None,
    ratio: Optional[float] = None,
    target: Union[str, Sequence[str], None] = None,
    criterion: Optional[str] = None,
    ranked: bool = False,
    align: Union[int, str, None] = None,
    policy: Optional[FileName] = None,
    strict: bool = False,
    data: Optional[Examples] = None,
    restore: bool = True,
    plan: Union[FileName, Choice, None] = None,
) -> CompiledModel:
    """Makes a model smaller: reads it, finds its groups, chooses what goes, and writes nothing before
    :meth:`CompiledModel.save`.

    The arguments are the options of ``prunec compile``; ``ranked`` is its ``--global``.  With ``data``, some
    hundred examples, what goes is restored unless ``restore`` is false.  ``plan`` is the path of a plan.json,
    or an algorithm of your own: a function that is given the analysis and returns which units go, shape
    (units,).

    Raises PrunecError for what is wrong with any of the files, and for a choice that no network has;
    ValueError for values that the command does not take.
    """
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(TemporaryDirectory(prefix="prunec-")))
        words = ["compile", os.fspath(model), "--json", *valued("--params", parameters)]
        words += repeated("--rules", rules) + valued("--policy", policy) + ["--strict"] * strict
        for name, shape in (input_shapes or {}).items():
            words.append(f"--input={name}={','.join(map(str, shape))}")
        words += valued("--ratio", ratio) + repeated("--target", target) + valued("--criterion", criterion)
        words += ["--global"] * ranked + valued("--align", align)
        shown, from_arrays = [*words], not (data is None or isinstance(data, (str, os.PathLike)))
        if data is not None:
            words += valued("--data", example_file(data, scratch))
            shown += valued("--data", "examples.npz" if from_arrays else data)
        if data is not None or not restore:
            words.append("--restore" if restore else "--no-restore")
            shown.append(words[-1])
        if callable(plan):
            _write_plan(plan, words, scratch / PLAN)
        words += valued("--plan", scratch / PLAN if callable(plan) else plan)
        shown += valued("--plan", PLAN if callable(plan) else plan)
        options = parsed([*words, f"--out={scratch / 'out'}"])
        options.command_line = ("prunec", *shown)
        _, compiled = stack.enter_context(compiling(options))
        assert compiled is not None  # nothing was to be verified
        result = compiled.result
        found = CompiledModel(
            result.plan,
            result.inputs.analysis,
            result.pruned,
            options.terminal.take_warnings(),
            compiled.quality,
            compiled,
            options,
            from_arrays,
        )
        # The files are there as long as the result is.
        weakref.finalize(found, stack.pop_all().close)
        return found


def _write_plan(choice: Choice, words: Sequence[str], path: Path) -> None:
    """Writes what an algorithm chooses as a plan."""
    inputs = read_inputs(parsed(words))
    analysis = inputs.analysis
    removed = choice(analysis)
    check_choice(analysis, removed)
    names, narrower = group_names(group_members(analysis)), widths_after(analysis, removed)
    own = Plan(removed, {"criterion": getattr(choice, "__name__", "own")})
    digests, shapes = group_digests(analysis), inputs.shapes_of_groups
    text = plan_text(analysis, inputs.origin, own, names, digests, shapes, __version__, narrower)
    path.write_text(text, encoding="ascii")
