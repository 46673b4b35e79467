"""Transformers that lose residual channels: proved but for the nodes whose statistics change."""

from __future__ import annotations

import pytest

pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from frontends.onnx import transformers
from frontends.onnx.network import prune, surviving

from prunec.verifying.verdict import Evidence

#: What combines the channels of the residual stream, and the parameters that these nodes take themselves.
STATISTICS = {
    transformers.encoder: (["LayerNormalization_0", "LayerNormalization_1"], 4),
    transformers.encoder_written_out: ([f"ReduceMean_{n}" for n in range(4)], 0),
    transformers.fused_by_gather: (["LayerNormalization_0"], 2),
    transformers.fused_by_split: (["LayerNormalization_0"], 2),
    transformers.grouped_queries: (["LayerNormalization_0"], 2),
    transformers.gated_feed_forward: (["ReduceMean_0"], 0),
    transformers.root_mean_square_in_single_precision: (["ReduceMean_0", "ReduceMean_1"], 0),
}


@pytest.mark.parametrize("build", transformers.BUILDERS, ids=lambda build: build.__name__)
def test_every_wrong_slice_is_refused_but_where_statistics_change(build):
    pattern = build()
    result = prune(pattern.proto, pattern.inputs)
    assert result.proved, result.verdict
    width = [pair for pair, (before, _) in result.cut.items() if before == transformers.W]
    assert width, "the residual channels stay"
    names, taken = STATISTICS.get(build, ([], 0))
    assert [own.node for own in result.verdict.restarts] == names
    assert all(own.statistics for own in result.verdict.restarts)
    evidence = [own.evidence for own in result.verdict.witnesses]
    assert evidence.count(Evidence.STATISTICS) == taken
    assert evidence.count(Evidence.WITNESSED) == len(evidence) - taken > 0
    if names:
        assert result.verdict.quality is not None and result.verdict.quality > 1e-3
    else:
        assert result.verdict.quality is None
    assert surviving(result) == []


@pytest.mark.parametrize("fractions", [False, True])
def test_a_shape_that_is_known_only_when_the_model_runs_is_no_break(fractions: bool) -> None:
    """Batch and length are open: what the reshapes make is known by its operator all the same."""
    pattern = transformers.computed_shapes(fractions)
    result = prune(pattern.proto, drawn=pattern.inputs, others=pattern.others)
    kinds = {opaque.kind for opaque in result.analysis.lowered.opaque.values()}
    assert kinds == ({"unknown value"} if fractions else set())
    assert result.proved and result.verdict.restarts == ()
    assert result.pruned.slices and surviving(result) == []
