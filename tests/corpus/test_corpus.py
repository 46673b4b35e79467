"""Real networks, where the corpus lies beside the checkout: all are read, a sample is compiled."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bench.measure import measure  # noqa: E402
from bench.networks import CORPUS, Network, networks  # noqa: E402
from prunec.frontends.mxnet.params import read_params, write_params  # noqa: E402
from prunec.frontends.mxnet.symbol import read_symbol_file  # noqa: E402
from prunec.frontends.mxnet.symbol_writing import rewrite  # noqa: E402
from prunec.support.diagnostics import PrunecError  # noqa: E402

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="needs the corpus beside the checkout")

#: Networks in the sample: every so many files, which meets all kinds.
STEP = 12
#: Always in the sample: detectors and a network of many operators, which depend on rules for shapes.
NAMED = ("ssd_300_mobilenet0.25_voc", "yolo3_mobilenet1.0_voc", "center_net_resnet18_v1b_dcnv2_coco")


def corpus() -> list[Network]:
    return networks() if CORPUS.is_dir() else []


def test_the_corpus_is_complete() -> None:
    assert len(corpus()) == 360
    assert sum(network.parameters is not None for network in corpus()) == 31
    assert sum(network.floor is not None for network in corpus()) == 175


def test_symbol_files_are_read() -> None:
    for network in corpus():
        file = read_symbol_file(network.path)
        assert rewrite(file, {}) == network.path.read_bytes(), network.file


def test_symbol_files_come_back_as_they_were() -> None:
    for network in corpus()[STEP // 2 :: STEP]:
        file = read_symbol_file(network.path)
        # Every value written anew, none of them changed.
        same = {
            (index, name): value
            for index in range(len(file.nodes))
            for name, value in file.attributes(index).items()
        }
        assert rewrite(file, same) == file.data, network.file


def test_parameter_files_come_back_as_they_were(tmp_path: Path) -> None:
    found = [n.parameters for n in corpus() if n.parameters is not None]
    small = [path for path in found if path.stat().st_size < 4_000_000]
    assert len(small) > 10
    for path in small:
        file = read_params(path)
        arrays = {record.name: file.array(record.name) for record in file.records if not record.empty}
        copy = tmp_path / "copy.params"
        write_params(copy, file.records, lambda record, arrays=arrays: arrays[record.name], file.reserved)
        assert copy.read_bytes() == path.read_bytes(), path.name


def sample() -> list[Network]:
    return [n for place, n in enumerate(corpus()) if place % STEP == 0 or n.label in NAMED]


@pytest.mark.parametrize("network", sample(), ids=lambda network: network.label)
def test_a_network_is_made_smaller_or_refused_with_a_reason(network: Network) -> None:
    found = measure(network)
    assert found.outcome in ("pruned", "kept", "refused"), found.message
    assert not found.above_floor, f"{found.left:.3f} left, the floor is {found.floor}"
    if found.outcome == "refused":
        assert found.code in ("P401", "P404"), found.message
        assert "help: " in found.message


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    data = corpus()[0].path.read_bytes()
    (tmp_path / "cut-symbol.json").write_bytes(data[: len(data) // 2])
    with pytest.raises(PrunecError) as failure:
        read_symbol_file(tmp_path / "cut-symbol.json")
    assert failure.value.diagnostics[0].code == "P303"
    assert "JSON" in failure.value.diagnostics[0].headline
