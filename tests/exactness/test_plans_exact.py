"""Other plans than half of everything: little, much, one unit at a time, all but one, any legal one."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mxnet", reason="needs MXNet")

import networks
from core.plans import all_but_one, any_legal, one_unit

from exactness.pruning import at_ratio, network_of, prune, zoo_network

CASES = {build.__name__: build for build in networks.BUILDERS}
ZOO = ("resnet18_v2", "mobilenetv2_0.5", "squeezenet1.1")
HANDFUL = (
    "flatten_dense",
    "deconvolution_grouped",
    "residual_projection",
    "concat_itself",
    "shared_weight",
    "siamese",
    "padded_shortcut_both_sides",
    "split",
    "slices_overlapping",
    "slices_negative",
    "roll_residual",
    "grouped_chain",
    "shuffle_unit",
    "shuffle_two_groups",
    "resnext_block",
    "depthwise_multiplier",
    "pixel_shuffle",
    "space_to_depth",
    "tile",
    "gather_positions",
    "encoder",
    "fused_attention",
    "split_attention",
    "dense_block",
    "unet",
)


def _network(name):
    return network_of(CASES[name]()) if name in CASES else zoo_network(name)


@pytest.mark.parametrize("ratio", [0.25, 0.75])
@pytest.mark.parametrize("name", [*HANDFUL, *ZOO])
def test_other_ratios(name, ratio):
    trial = prune(_network(name), at_ratio(ratio), seed=3)
    assert trial.removed.any() and trial.left < 1
    trial.assert_proved()


@pytest.mark.parametrize("name", HANDFUL)
def test_all_but_one_of_every_group(name):
    """Of groups that lose equally, one unit of each cell stays."""
    trial = prune(_network(name), all_but_one)
    for group in trial.analysis.solution.groups:
        left = ~trial.removed[group.units]
        if (group.cells < 0).all():
            assert left.sum() == 1
    # Rectifiers of one channel may be dead for one input: exact, whatever that proves.
    trial.assert_agreement()


@pytest.mark.parametrize("name", HANDFUL)
def test_one_unit_of_each_group_alone(name):
    """The least that can be removed, from one group at a time: nothing else is needed for it."""
    network = _network(name)
    for number in range(len(network.analysis(strict=True).solution.groups)):
        trial = prune(network, one_unit(number), seed=number)
        assert trial.removed.any() and trial.pruned.slices
        trial.assert_proved()


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", HANDFUL)
def test_any_legal_choice(name, seed):
    """Every group loses its own number of units, at random positions."""
    trial = prune(_network(name), any_legal, seed=seed)
    trial.assert_agreement()


def test_nothing_removed_changes_not_a_byte():
    network = _network("shuffle_unit")
    trial = prune(network, lambda analysis, _: np.zeros(analysis.solution.unit_count, dtype=bool))
    assert trial.pruned.model == network.json and trial.pruned.slices == ()
