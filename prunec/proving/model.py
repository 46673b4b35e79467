"""A generated network as the compiler sees it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from prunec.binding.infer import Rules
from prunec.graph.model import Graph, Shape
from prunec.language.syntax import Rule, Value
from prunec.mxnet.symbol import SymbolFile, read_symbol, rewrite, to_graph
from prunec.proving.network import AROUND


@dataclass(frozen=True)
class RulesUnderTrial:
    """The rules to be proved, and trusted ones for what is built around their operators."""

    rules: tuple[Rule, ...]
    trusted: Rules

    def rules_for(self, operator: str) -> tuple[Rule, ...]:
        """The rules of an operator; the trusted ones for a node that was built around it."""
        if operator.startswith(AROUND):
            return tuple(self.trusted.rules_for(operator[len(AROUND) :]))
        return self._by_operator().get(operator, ())

    def _by_operator(self) -> dict[str, tuple[Rule, ...]]:
        known = self.__dict__.get("_table")
        if known is None:
            table: defaultdict[str, list[Rule]] = defaultdict(list)
            for rule in self.rules:
                for operator in dict.fromkeys(name.name for name in rule.operators):
                    table[operator].append(rule)
            known = {name: tuple(found) for name, found in table.items()}
            object.__setattr__(self, "_table", known)
        return known

    def exchanged(self, old: Rule, new: Rule) -> RulesUnderTrial:
        """The same rules with another in place of one."""
        return RulesUnderTrial(tuple(new if rule is old else rule for rule in self.rules), self.trusted)


@dataclass(frozen=True)
class GeneratedModel:
    """A network with its parameters' values, for the compiler's passes."""

    file: SymbolFile
    graph: Graph
    values: Mapping[str, npt.NDArray[np.float32]]
    input_shapes: Mapping[str, Shape]

    @property
    def prefix(self) -> str:
        """What the model is called."""
        return self.file.name

    @property
    def digest(self) -> str:
        """The SHA-256 of the symbol file, in hexadecimal."""
        return hashlib.sha256(self.file.data).hexdigest()

    @property
    def parameter_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shapes of the parameters, by name."""
        return {name: value.shape for name, value in self.values.items()}

    def parameter(self, name: str) -> npt.NDArray[Any]:
        """A parameter's values."""
        return self.values[name]

    def implied_name(self, node: int, slot: str) -> str:
        """What a parameter is called that the graph does not mention."""
        return f"{self.graph.nodes[node].name}_{slot}"

    def rewrite(self, attributes: Mapping[tuple[int, str], Value], shapes: Mapping[int, Shape]) -> bytes:
        """The symbol file with attributes changed."""
        return rewrite(self.file, attributes)

    def missing(self, node: int, attribute: str) -> bool:
        """Whether a node lacks an attribute."""
        return attribute not in self.file.attributes(node)


def generated_model(
    data: bytes,
    around: Sequence[int],
    inputs: Mapping[str, tuple[int, ...]],
    values: Mapping[str, npt.NDArray[np.float32]],
) -> GeneratedModel:
    """The model of a symbol file; nodes ``around`` the operator get names that trusted rules know."""
    file = read_symbol(data, "generated network")
    shapes = {name: value.shape for name, value in values.items()}
    graph = to_graph(file, set(values), inputs, shapes)
    renamed = set(around)
    nodes = tuple(
        replace(node, operator=AROUND + str(node.operator)) if index in renamed else node
        for index, node in enumerate(graph.nodes)
    )
    return GeneratedModel(file, replace(graph, nodes=nodes), values, inputs)
