"""Every pattern: pruned at random, checked by onnx, and equal to the masked original in ONNX Runtime."""

from __future__ import annotations

import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from frontends.onnx import choosing, empty, formulas, patterns, transformers  # noqa: E402
from frontends.onnx.network import prune  # noqa: E402

BUILDERS = [
    *patterns.BUILDERS,
    *choosing.BUILDERS,
    *formulas.BUILDERS,
    *transformers.BUILDERS,
    *empty.BUILDERS,
]


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
@pytest.mark.parametrize("seed", [0, 1])
def test_pattern_is_exact(build, seed):
    pattern = build()
    result = prune(pattern.proto, pattern.inputs, seed=seed, strict=True, others=pattern.others)
    assert result.error < 1e-4, result.error
    assert result.proved, result.verdict
    assert not [pair for pair in pattern.removable if pair not in result.cut], result.cut
    assert not [pair for pair in pattern.kept if pair in result.cut], result.cut
    assert result.warnings == []
    before = {tensor.name: tensor for tensor in pattern.proto.graph.initializer}
    after = {tensor.name: tensor for tensor in onnx.load_from_string(result.pruned.model).graph.initializer}
    assert all(after[name] == before[name] for name in pattern.untouched if name in before)


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_shapes_are_those_of_onnx(build):
    """The rules' shapes against onnx's own inference."""
    pattern = build()
    result = prune(pattern.proto, pattern.inputs, ratio=0.0)
    graph, shapes = result.model.graph, result.analysis.bound.shapes
    assert graph.hints
    for tensor, hint in graph.hints.items():
        shape = shapes.get(tensor)
        name = graph.nodes[tensor.node].name
        if shape is None:
            # Outputs that no rule names: what a normalisation computes by the way.
            assert tensor.output > 0, name
            continue
        assert len(shape) == len(hint), (name, shape, hint)
        assert all(a == b for a, b in zip(shape, hint) if None not in (a, b)), (name, shape, hint)


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_removing_nothing_changes_nothing(build):
    pattern = build()
    result = prune(pattern.proto, pattern.inputs, ratio=0.0)
    assert result.pruned.model == pattern.proto.SerializeToString(deterministic=True)


@pytest.mark.parametrize("build", [transformers.encoder, transformers.encoder_written_out])
def test_residual_width_is_approximate_because_of_the_normalisation(build):
    result = prune(build().proto)
    width = {name for (name, _), (before, after) in result.cut.items() if before == transformers.W}
    assert "words" in width and "fc_w" in width
    causes = result.analysis.solution.causes
    reasons = {
        causes[number].text
        for group in result.analysis.solution.groups
        if group.approximate
        for number in group.approximate
    }
    assert reasons <= {
        "layer normalisation takes the mean and deviation over all channels",
        "a mean, extreme or product is taken over this axis",
        "a mean or extreme is taken over this axis",
    }
    exact = [group for group in result.analysis.solution.groups if not group.approximate]
    assert exact and len(exact) < len(result.analysis.solution.groups)
