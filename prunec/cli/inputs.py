"""Reading what a command works on: model, parameters, rules and plan."""

from __future__ import annotations

import argparse
import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from prunec.cli.options import input_shapes
from prunec.compiler import Analysis, Pruned, analyse, emit
from prunec.diagnostics import Diagnostic, PrunecError, printable, render_all
from prunec.emission.shrink import Unbalanced
from prunec.language.library import load, locate
from prunec.mxnet.frontend import MXNetModel, read_model
from prunec.planning.planfile import Origin, PlanFile, read_plan
from prunec.planning.policy import ModelPolicy, read_policy, regrouped
from prunec.planning.select import Removed


@dataclass(frozen=True)
class Inputs:
    """What was read: ``files`` are all files that must not be written over, ``policy`` what --policy gave."""

    model: MXNetModel
    analysis: Analysis
    origin: Origin
    plan: Optional[PlanFile]
    rules: tuple[str, ...]
    files: tuple[Path, ...]
    policy: Optional[ModelPolicy] = None

    @property
    def parameters(self) -> Optional[Path]:
        """The parameter file, where there is one."""
        return None if self.model.parameters is None else Path(self.model.parameters.path)


def read_inputs(options: argparse.Namespace, plan: Optional[str] = None) -> Inputs:
    """Reads everything and analyses the model; warnings go to the terminal.

    ``plan`` is the path of a plan; a plan made strictly is analysed strictly.  Raises PrunecError for
    whatever is wrong with any of the files.
    """
    shapes = input_shapes(options)
    names = tuple(options.rules or ["default.prune"])
    read = None if plan is None else read_plan(plan)
    strict = options.strict or (read is not None and read.origin.strict)
    parameters = None if options.params is None else Path(options.params)
    model = read_model(Path(options.model), parameters, shapes)
    rules = load(names)
    analysis = analyse(model, rules, strict)
    digest, policy = rules.digest, None
    given = getattr(options, "policy", None)
    if given is not None:
        policy = read_policy(Path(given), model.graph)
        if policy.regroups:
            # Other groups than without it: a plan for these is stale without the policy.
            analysis = regrouped(analysis, policy)
            digest = hashlib.sha256(f"{digest}:{policy.digest}".encode()).hexdigest()
    own = () if policy is None else policy.warnings
    warnings = tuple(dict.fromkeys((*rules.warnings, *analysis.warnings, *own)))
    if warnings:
        print(render_all(warnings), file=sys.stderr)
    path = None if model.parameters is None else Path(model.parameters.path)
    origin = Origin(model.digest, digest, None if path is None else file_digest(path), strict)
    files = [model.path, *map(locate, names)]
    more = (path, None if plan is None else Path(plan), None if given is None else Path(given))
    files += [file for file in more if file is not None]
    return Inputs(model, analysis, origin, read, names, tuple(files), policy)


def emit_checked(analysis: Analysis, removed: Removed) -> Pruned:
    """The smaller model; raises PrunecError P506 where what stays of a table is not rectangular."""
    try:
        return emit(analysis, removed)
    except Unbalanced:
        raise PrunecError(
            Diagnostic(
                "P506",
                "the plan removes what cannot go",
                notes=("rows of a table that must stay equally long would lose unequally many channels",),
                help="remove equally many units of every cell; `prunec groups --json` lists the cells",
            )
        ) from None


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal.  Raises PrunecError P601 where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while True:
                block = file.read(1 << 20)
                if not block:
                    return digest.hexdigest()
                digest.update(block)
    except OSError as error:
        note = f"the system says: {error.strerror or error}"
        where = printable(str(path))
        raise PrunecError(
            Diagnostic("P601", "cannot read the parameters", where, notes=(note,), help="check the path")
        ) from None
