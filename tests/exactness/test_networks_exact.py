"""Every test network, pruned by half: the same outputs, and everything gone that can go."""

from __future__ import annotations

import pytest

pytest.importorskip("mxnet", reason="needs MXNet")

import networks

from exactness.pruning import at_ratio, network_of, prune
from prunec.frontends.mxnet.sessions import infer_shapes
from prunec.verifying.verdict import Outcome

BUILDERS = pytest.mark.parametrize("build", networks.BUILDERS, ids=lambda build: build.__name__)


@BUILDERS
def test_half_of_every_group(build):
    case = build()
    trial = prune(network_of(case), at_ratio(0.5), strict=True)
    trial.assert_proved()
    shortened = trial.shortened
    assert sorted(set(case.removable) - shortened) == []
    assert sorted(set(case.kept) & shortened) == []
    assert trial.analysis.warnings == ()
    assert not any(group.approximate for group in trial.analysis.solution.groups)


@BUILDERS
def test_approximate_channels_are_marked(build):
    """Without strictness more can go, and what is not exact is said to be so."""
    case = build()
    network = network_of(case)
    solution = network.analysis(strict=False).solution
    marked = {group.number for group in solution.groups if group.approximate}
    strict = prune(network, at_ratio(0.5), strict=True).shortened
    for pair in case.approximate:
        groups = set(groups_on(network, pair))
        # What can go exactly needs no mark.
        assert groups and (groups <= marked or pair in strict), pair
    trial = prune(network, at_ratio(0.5), strict=False)
    assert sorted({*case.removable, *case.approximate} - trial.shortened) == []
    assert sorted(set(case.kept) & trial.shortened) == []
    # It runs, whatever it computes; and where nothing is marked it is exact.
    verdict = trial.verdict()
    assert all(output.shape == output.pruned_shape for output in verdict.outputs), str(verdict)
    if not marked:
        assert verdict.outcome is not Outcome.DIFFERS, str(verdict)


def groups_on(network, pair):
    """The numbers of the groups that shorten an axis of a parameter."""
    analysis = network.analysis(strict=False)
    name, axis = pair
    channels = next(p.channels for p in analysis.parameters if p.name == name)
    before = sum(len(factors) for factors in channels.layout.axes[:axis])
    own = range(before, before + len(channels.layout.axes[axis]))
    for factors, array in zip(channels.layout.arrays, channels.arrays):
        if factors[-1] in own:
            units = set(analysis.solution.units(array).reshape(-1).tolist())
            yield from (g.number for g in analysis.solution.groups if units & set(g.units.tolist()))


@BUILDERS
def test_shapes_are_those_of_mxnet(build):
    network = network_of(build())
    expected = infer_shapes(network.json, network.inputs)
    bound = network.analysis().lowered
    found, graph = bound.shapes, bound.graph
    used = {tensor for node in graph.nodes for tensor in node.inputs} | set(graph.outputs)
    # Nothing of a label's shape matters.
    used -= {tensor for tensor in used if graph.nodes[tensor.node].name.endswith("label")}
    wrong = {
        f"{graph.nodes[tensor.node].name}[{tensor.output}]": (found.get(tensor), shape)
        for tensor, shape in expected.items()
        if tensor in used and found.get(tensor) != shape
    }
    assert wrong == {}
