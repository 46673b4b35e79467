"""Every pattern: pruned at random, checked by onnx, and equal to the masked original in ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from frontends.onnx import choosing, constants, empty, formulas, patterns, transformers  # noqa: E402
from frontends.onnx.network import prune, surviving  # noqa: E402
from prunec.frontends.onnx.sessions import run  # noqa: E402
from prunec.verifying.verdict import Evidence  # noqa: E402

BUILDERS = [
    *patterns.BUILDERS,
    *choosing.BUILDERS,
    *constants.BUILDERS,
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
    graph, shapes = result.model.graph, result.analysis.lowered.shapes
    if not graph.hints and onnx.__version__.startswith("1.14."):
        pytest.skip("this version of onnx infers no shapes from a first state that two layers share")
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


@pytest.mark.parametrize("build", constants.BUILDERS, ids=lambda build: build.__name__)
def test_damage_to_prepared_constants_is_seen(build):
    """Each of them by itself, those that are one in the smaller model included."""
    result = prune(build().proto, strict=True)
    assert not [own for own in result.verdict.witnesses if own.evidence is Evidence.IGNORED]
    # Zeros are as they were when they are scaled.
    assert [own for own in surviving(result) if not own.startswith("zeros")] == []


def test_computed_weights_are_those_that_the_model_computes():
    """The model that is compared with against the one that the file holds."""
    pattern = constants.standardised_weights()
    result = prune(pattern.proto, ratio=0.5)
    assert result.model.file.preparation.folded == ("Mul_1", "Mul_3")
    feeds = result.examples[0].first
    (expected,) = run(pattern.proto.SerializeToString(), feeds)
    (actual,) = run(result.model.file.proto.SerializeToString(), feeds)
    assert np.abs(expected - actual).max() < 1e-5 * np.abs(expected).max()
    kinds = {node.op_type for node in onnx.load_from_string(result.pruned.model).graph.node}
    assert "ReduceMean" not in kinds


def test_a_constant_is_copied_where_it_is_sliced_in_two_ways_alone():
    pattern = constants.fresh_statistics()
    assert [own for own in names_of(prune(pattern.proto, ratio=0.0)) if own.startswith("ones")] == ["ones"]
    copies = [own for own in names_of(prune(pattern.proto, ratio=0.5)) if own.startswith("ones")]
    # Scale and variance of the second normalisation are cut at other places than those of the first.
    assert copies == ["ones", "ones_3", "ones_4"]


def names_of(result):
    return [own.name for own in onnx.load_from_string(result.pruned.model).graph.initializer]
