"""Values of the original brought to the smaller model's size, whatever their open sizes are."""

from __future__ import annotations

import numpy as np
import pytest

from prunec.analysis.analyse import analyse
from prunec.channels.removal import uniform
from prunec.frontends.pytorch.model import read_model
from prunec.graph import Tensor
from prunec.language.library import load
from prunec.rewriting.emit import emit
from prunec.rewriting.places import Places
from tests.frontends.pytorch.archives import NEWEST


@pytest.fixture(scope="module")
def places():
    """A program whose first view has samples and pairs of channels on one axis, its batch open."""
    analysis = analyse(read_model(NEWEST), load(["aten.prune"]))
    scores = np.random.default_rng(0).random(analysis.solution.unit_count)
    return analysis, Places(analysis, emit(analysis, uniform(analysis.solution, 0.5, scores)))


def tensor(analysis, name):
    names = [node.name for node in analysis.model.graph.nodes]
    return Tensor(names.index(name), 0)


@pytest.mark.parametrize("batch", [1, 3])
def test_open_sizes_are_those_of_the_value(places, batch):
    analysis, found = places
    value = np.random.default_rng(0).random((batch * 2, 3))
    view = tensor(analysis, "view")
    kept = found.gather(view, value)
    assert found.shrinks(view) and kept is not None and kept.shape[0] % batch == 0
    assert kept.size < value.size
    back = found.scatter(view, kept)
    assert back is not None and back.shape == value.shape
    assert np.array_equal(np.sort(back[back != 0]), np.sort(kept.reshape(-1)))
    assert np.array_equal(back[back != 0], value[back != 0])


def test_values_that_do_not_come_out_even_are_none(places):
    analysis, found = places
    assert found.gather(tensor(analysis, "view"), np.ones((3, 3, 3))) is None
