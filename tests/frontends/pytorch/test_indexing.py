"""What the graph says of tensors that index others."""

import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch")

from frontends.pytorch.exported import exported  # noqa: E402


class Chosen(torch.nn.Module):
    """Columns chosen by number, rows by truth values, and elements by both."""

    def forward(self, x):
        rows = x > 0
        columns = torch.tensor([2, 0])
        return x[:, columns], x[rows[:, 0]], x[rows[:, 0], 1]


def test_positions_and_masks(tmp_path):
    model = exported(Chosen(), torch.ones(4, 3), tmp_path / "chosen.pt2")
    nodes = [node for node in model.content.graph.nodes if node.operator == "index.Tensor"]
    found = [(node.attributes["indices"], node.attributes.get("masks")) for node in nodes]
    assert found[:2] == [((1,), None), ((0,), (0,))]
    assert found[2][1] == (0,)
    assert [len(node.inputs) for node in nodes[:2]] == [2, 2]
