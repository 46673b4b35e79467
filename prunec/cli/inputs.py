"""Reading what a command works on: model, parameters, rules and plan."""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Mapping, Optional, cast

from prunec.analysis.analyse import Analysis, analyse
from prunec.cli.options import input_shapes
from prunec.examples import example_shapes
from prunec.frontends.base import FrontEnd, PrunedFiles
from prunec.frontends.narrowed import narrowed
from prunec.frontends.registry import front_end
from prunec.graph import Shape, Tensor, may_agree
from prunec.language.library import RuleSet, load, locate
from prunec.model import FileModel
from prunec.planning.planfile import Origin, PlanFile, read_plan
from prunec.planning.policy import ModelPolicy, read_policy, regrouped
from prunec.planning.staleness import has_other_groups
from prunec.rewriting.emit import Pruned
from prunec.rewriting.places import Places
from prunec.sizes import OpenShape, closed_shape, exemplary

#: Options that name files which commands read.
_READ = ("policy", "data", "sensitivity", "previous", "register")


@dataclass(frozen=True)
class Inputs:
    """What was read: ``front`` is the front end that read the model, ``files`` are all files that must not be
    written over, ``policy`` is what --policy gave."""

    front: FrontEnd[Any]
    model: FileModel
    analysis: Analysis
    origin: Origin
    plan: Optional[PlanFile]
    rules: tuple[str, ...]
    files: tuple[Path, ...]
    policy: Optional[ModelPolicy] = None

    @property
    def shapes_of_groups(self) -> Mapping[str, Shape]:
        """The shapes of inputs that the groups were found with: those of the plan, where there is one."""
        read = None if self.plan is None else self.plan.inputs
        return self.model.input_shapes if read is None else read

    @property
    def parameters(self) -> Optional[Path]:
        """The parameter file, where there is one."""
        return self.front.parameter_file(self.model)

    @property
    def weights(self) -> Optional[Path]:
        """The file that the parameters are in; ``None`` where there are none."""
        if self.model.parameter_shapes is None:
            return None
        return self.parameters or self.model.path


def read_smaller(inputs: Inputs, pruned: Pruned, path: Path, parameters: Optional[Path]) -> PrunedFiles:
    """What was made of the model, to be run on inputs as wide as the model's own.  Raises PrunecError where
    its files cannot be read."""
    found = inputs.front.read_pruned(inputs.model, path, parameters)
    return replace(found, runtime=narrowed(found.runtime, Places(inputs.analysis, pruned).inputs))


def open_shapes(inputs: Inputs) -> dict[str, Optional[Shape]]:
    """The model's inputs whose shapes are not all known, with what is known of them."""
    graph, shapes = inputs.model.graph, inputs.analysis.lowered.example_shapes
    found = {}
    for index in inputs.front.feed_nodes(inputs.model, set(range(len(graph.nodes)))):
        shape = shapes.get(Tensor(index, 0))
        if shape is None or None in shape:
            found[graph.nodes[index].name] = shape
    return found


def read_inputs(options: argparse.Namespace, plan: Optional[str] = None) -> Inputs:
    """Reads everything and analyses the model; warnings go to ``options.terminal``.

    ``plan`` is the path of a plan; a plan made strictly is analysed strictly.  Raises PrunecError for
    whatever is wrong with any of the files.
    """
    shapes = input_shapes(options)
    front = front_end(Path(options.model))
    _register(options, front)
    names = tuple(options.rules or [front.rules])
    with options.terminal.step("reading"):
        model = front.read(Path(options.model), parameter_path(options, front, "params"), shapes)
        known = _sizes_of_examples(options, front, model)
        if known:
            shapes = {**known, **shapes}
            model = front.read(Path(options.model), parameter_path(options, front, "params"), shapes)
        read = None if plan is None else read_plan(plan)
        rules = load(names)
    strict = options.strict or (read is not None and read.origin.strict)
    with options.terminal.step("finding groups"):
        analysis, policy = _analysed(options, model, rules, strict)
        if read is not None and read.inputs not in (None, shapes) and has_other_groups(read, analysis):
            # Sizes are examples: the groups are those of the sizes that the plan was made with.
            model = front.read(Path(options.model), parameter_path(options, front, "params"), read.inputs)
            analysis, policy = _analysed(options, model, rules, strict)
    digest = rules.digest
    if policy is not None and policy.regroups:
        # Plans of earlier versions say by this digest alone which groups they are for.
        digest = hashlib.sha256(f"{digest}:{policy.digest}".encode()).hexdigest()
    own = () if policy is None else policy.warnings
    options.terminal.warn((*rules.warnings, *analysis.warnings, *own))
    origin = Origin(model.digest, digest, front.parameters_digest(model), strict)
    files = [model.path, *map(locate, names)]
    files += [model.path.parent / name for name in front.data_files(model)]
    optional = [front.parameter_file(model), plan, *(getattr(options, name, None) for name in _READ)]
    files += [Path(file) for file in optional if file is not None]
    return Inputs(front, cast(FileModel, analysis.model), analysis, origin, read, names, tuple(files), policy)


def _sizes_of_examples(
    options: argparse.Namespace, front: FrontEnd[Any], model: FileModel
) -> dict[str, tuple[int, ...]]:
    """The shapes of inputs that the model leaves open and --input does not give, where --data has examples;
    of examples that do not fit the model nothing is taken."""
    if getattr(options, "data", None) is None:
        return {}
    graph = model.graph
    given = {name for name, _ in options.input}
    nodes = front.feed_nodes(model, set(range(len(graph.nodes))))
    inputs = [graph.nodes[index].name for index in nodes]
    shapes = dict(zip(inputs, (graph.shapes.get(index) for index in nodes)))
    missing = {name for name, shape in shapes.items() if shape is None or not _is_closed(shape)} - given
    found = example_shapes(options.data, inputs) if missing else {}
    return {name: shape for name, shape in found.items() if name in missing and _fits(shape, shapes[name])}


def _fits(shape: tuple[int, ...], open_shape: Optional[OpenShape]) -> bool:
    """Whether examples, the size of whose batch does not matter, may be of a shape."""
    known = shape if open_shape is None else closed_shape(open_shape)
    return len(known) == len(shape) and may_agree(shape[1:], known[1:])


def _is_closed(shape: OpenShape) -> bool:
    """Whether all sizes are known, or what they are in an example."""
    return all(isinstance(exemplary(size, {}), int) for size in shape)


def _analysed(
    options: argparse.Namespace, model: FileModel, rules: RuleSet, strict: bool
) -> tuple[Analysis, Optional[ModelPolicy]]:
    """The groups of a model, as a policy has them if there is one, and the policy."""
    analysis = analyse(model, rules, strict)
    if getattr(options, "policy", None) is None:
        return analysis, None
    policy = read_policy(Path(options.policy), analysis)
    if policy.freed or policy.interface or policy.whole:
        analysis = analyse(model, rules, strict, policy.freed, policy.interface, policy.whole)
    return (regrouped(analysis, policy) if policy.regroups else analysis), policy


def parameter_path(options: argparse.Namespace, front: FrontEnd[Any], option: str) -> Optional[Path]:
    """The parameter file given; a usage error for models that hold their parameters."""
    path = getattr(options, option)
    if path is not None and not front.separate_parameters:
        flag = option.replace("_", "-")
        options.parser.error(f"argument --{flag}: {front.file_kind} holds its parameters itself")
    return None if path is None else Path(path)


def _register(options: argparse.Namespace, front: FrontEnd[Any]) -> None:
    """Runs the file that registers operators, where one was given.  Raises PrunecError P713."""
    if getattr(options, "register", None) is None:
        return
    if not front.registers_operators:
        options.parser.error(f"argument --register: {front.framework} has no operators written in Python")
    front.register(Path(options.register))
