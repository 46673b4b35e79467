"""What a call of `compile` gives: a smaller model to save, to prove, to look at."""

from __future__ import annotations

import argparse
import copy
import shutil
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Mapping, Optional, Union

from prunec.analysis.analyse import Analysis
from prunec.cli.artefacts import Artefacts, check_folder, stale_files, write
from prunec.cli.compile_command import optional_files, smaller_files
from prunec.cli.compile_result import Compiled
from prunec.cli.verification import prepare, verdict_object, verdict_text, verify
from prunec.compiling.calling import FileName
from prunec.compiling.groups import Groups, groups
from prunec.compiling.notebook import table
from prunec.planning.choose import Plan
from prunec.reporting.summary import Summary, summarise
from prunec.rewriting.emit import Pruned
from prunec.support.diagnostics import Diagnostic
from prunec.verifying.verdict import Outcome

#: A number before and after; ``None`` where it is not known.
Change = tuple[Optional[int], Optional[int]]


@dataclass(frozen=True, eq=False)
class Proof:
    """What came of running both models: ``outcome`` is "proved", "differs" or "not proved", ``error`` the
    largest relative error of the values compared, ``document`` what ``prunec verify --json`` prints."""

    outcome: str
    error: float
    text: str
    document: Mapping[str, Any] = field(repr=False)

    @property
    def proved(self) -> bool:
        """Whether a wrong slice of any parameter would have been seen, and none was."""
        return self.outcome == Outcome.PROVED.value

    def __repr__(self) -> str:
        return f"<Proof: {self.outcome}, largest relative error {self.error:.1e}>"

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, eq=False)
class CompiledModel:
    """A smaller model.

    ``plan`` says which units went, ``analysis`` is that of the original, ``pruned`` has the edits and slices.
    ``warnings`` are those of the command; ``quality`` says what became of the outputs on the examples, and is
    empty without any.
    """

    plan: Plan
    analysis: Analysis
    pruned: Pruned
    warnings: tuple[Diagnostic, ...]
    quality: Mapping[str, Any]
    _compiled: Compiled
    _options: argparse.Namespace
    _from_arrays: bool

    @cached_property
    def groups(self) -> Groups:
        """The groups of the original, with parameters, axes and positions of each unit."""
        return groups(self.analysis)

    @property
    def parameters(self) -> Change:
        """How many parameter elements there are, before and after."""
        return self._summary.totals.parameters

    @property
    def multiply_adds(self) -> Change:
        """Those of all layers, before and after; ``None`` where sizes of inputs are not known."""
        return self._summary.totals.multiply_adds

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files that :meth:`save` writes."""
        return self._compiled.result.names

    def save(self, folder: FileName, *, force: bool = False) -> Path:
        """Writes all files that ``prunec compile`` writes into a folder, all or none, and returns its path.

        Raises PrunecError P510 for a folder that holds something, unless ``force`` is given to replace
        prunec's own files there, P511 where an input would be written over, P513 where the system refuses.
        """
        target, result = Path(folder), self._compiled.result
        read = result.inputs.files
        check_folder(target, result.names, read, force)

        def copied(stage: Path) -> None:
            shutil.copytree(result.folder, stage, dirs_exist_ok=True)

        stale = stale_files(target, optional_files(result.inputs, target, result.names), read)
        write(Artefacts({}, None, result.names, copied), target, stale)
        return target

    def verify(self, *, seeds: int = 1, values: Optional[Mapping[str, float]] = None) -> Proof:
        """Runs the original, with the removed channels masked, and the smaller model, and compares values:
        on the examples, where there were any, else on ``seeds`` draws of random inputs.  ``values`` are for
        inputs that are settings, by name.

        Raises PrunecError P508 without parameters, P700 to P715 where what runs the models is missing or
        refuses one.
        """
        options = copy.copy(self._options)
        options.seeds, options.value = seeds, list((values or {}).items())
        made, result = self._compiled, self._compiled.result
        comparison = prepare(made.inputs, options)
        if self._from_arrays:
            # The file that they stand in is nobody's.
            comparison = replace(comparison, words="the examples given")
        verdict = verify(made.inputs, self.pruned, smaller_files(result), comparison)
        text = verdict_text(made.inputs.analysis, self.plan, verdict, comparison)
        return Proof(verdict.outcome.value, verdict.error, text, verdict_object(verdict, comparison))

    def report(self, proof: Optional[Proof] = None) -> str:
        """The report, a page in HTML that needs no other file, with what came of a proof."""
        return self._compiled.page(() if proof is None else proof.text.splitlines()).decode("utf-8")

    @cached_property
    def _summary(self) -> Summary:
        return summarise(self.analysis, self.pruned, self.plan)

    def __repr__(self) -> str:
        before, after = (_count(number) for number in self.parameters)
        gone = int(self.plan.removed.sum())
        return (
            f"<CompiledModel of {self.analysis.model!r}: {gone} of {len(self.plan.removed)} units go, "
            f"parameters {before} to {after}>"
        )

    def _repr_html_(self) -> str:
        rows: list[tuple[object, ...]] = [
            (layer.name, *(layer.channels or (None, None)), *layer.parameters, *layer.multiply_adds)
            for layer in self._summary.layers
        ]
        rows.insert(0, ("all layers", None, None, *self.parameters, *self.multiply_adds))
        heads = ("layer", "channels", "left", "parameters", "left", "multiply-adds", "left")
        return table(f"{self._compiled.result.inputs.model.prefix}, smaller", heads, rows)


def _count(number: Union[int, None]) -> str:
    return "unknown" if number is None else f"{number:,}"
