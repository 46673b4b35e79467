"""The shapes that the shipped rules give, against those MXNet infers.

Only the shapes of data are given; those of weights and outputs have to follow from the rules, as
they follow from MXNet's own inference.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import pytest

from prunec.frontends.mxnet.symbol import read_symbol, to_graph
from prunec.graph import Tensor
from prunec.language.parser import parse, read_source
from prunec.language.syntax import Rule
from prunec.lowering.infer import lower_graph
from prunec.lowering.lowered import LoweredGraph

RULE_FILE = Path(__file__).resolve().parents[2] / "rules" / "default.prune"

#: Shape of an input; ``None`` is a weight, whose shape the rule has to tell.
Given = Optional[tuple[int, ...]]
W = None

IMAGE = (2, 8, 11, 9)
LAST = (2, 11, 9, 8)
SEQUENCE = (5, 2, 8)


class Library:
    """The rules of the shipped file by operator."""

    def __init__(self) -> None:
        self.rules = parse(read_source(RULE_FILE)).rules
        self._by_operator: dict[str, list[Rule]] = defaultdict(list)
        for rule in self.rules:
            for operator in rule.operators:
                self._by_operator[operator.name].append(rule)

    def rules_for(self, operator: str) -> tuple[Rule, ...]:
        return tuple(self._by_operator.get(operator, ()))


@pytest.fixture(scope="module")
def library() -> Library:
    return Library()


def model(operator: str, inputs: Sequence[Given], attributes: dict[str, Any]) -> bytes:
    """The JSON of a model that is one operator."""
    variables = [{"op": "null", "name": f"x{i}", "inputs": []} for i in range(len(inputs))]
    node = {
        "op": operator,
        "name": "node",
        "attrs": {key: str(value) for key, value in attributes.items()},
        "inputs": [[i, 0, 0] for i in range(len(inputs))],
    }
    document = {
        "nodes": [*variables, node],
        "arg_nodes": list(range(len(inputs))),
        "heads": [[len(inputs), 0, 0]],
        "attrs": {"mxnet_version": ["int", 10901]},
    }
    return json.dumps(document).encode()


def bound(
    library: Library, operator: str, inputs: Sequence[Given], attributes: dict[str, Any]
) -> LoweredGraph:
    shapes = {f"x{i}": shape for i, shape in enumerate(inputs) if shape is not None}
    names = [f"x{i}" for i, shape in enumerate(inputs) if shape is None]
    file = read_symbol(model(operator, inputs, attributes), "model")
    return lower_graph(to_graph(file, parameter_names=names, input_shapes=shapes), library)


CASES: list[tuple[str, list[Given], dict[str, Any]]] = [
    # convolution
    ("Convolution", [IMAGE, W, W], {"kernel": (3, 3), "num_filter": 6}),
    (
        "Convolution",
        [IMAGE, W],
        {"kernel": (3, 1), "num_filter": 6, "no_bias": 1, "stride": (2, 1), "pad": (1, 0)},
    ),
    ("Convolution", [IMAGE, W], {"kernel": (3, 3), "num_filter": 6, "num_group": 2, "no_bias": True}),
    ("Convolution", [IMAGE, W], {"kernel": (3, 3), "num_filter": 8, "num_group": 8, "no_bias": True}),
    ("Convolution", [IMAGE, W], {"kernel": (3, 3), "num_filter": 24, "num_group": 8, "no_bias": True}),
    ("Convolution", [IMAGE, W, W], {"kernel": (3, 3), "num_filter": 6, "dilate": (2, 2), "layout": "NCHW"}),
    ("Convolution", [(2, 8, 9), W, W], {"kernel": (3,), "num_filter": 6, "layout": "NCW", "stride": (2,)}),
    ("Convolution", [(2, 8, 9, 9, 9), W, W], {"kernel": (3, 3, 1), "num_filter": 6}),
    ("Convolution", [LAST, W], {"kernel": (3, 3), "num_filter": 6, "layout": "NHWC", "no_bias": True}),
    (
        "Convolution",
        [LAST, W],
        {"kernel": (3, 3), "num_filter": 8, "num_group": 2, "layout": "NHWC", "no_bias": True},
    ),
    (
        "Convolution",
        [LAST, W],
        {"kernel": (3, 3), "num_filter": 16, "num_group": 8, "layout": "NHWC", "no_bias": True},
    ),
    ("Deconvolution", [IMAGE, W], {"kernel": (3, 3), "num_filter": 6, "stride": (2, 2), "adj": (1, 1)}),
    ("Deconvolution", [IMAGE, W], {"kernel": (4, 4), "num_filter": 6, "num_group": 2, "pad": (1, 1)}),
    ("Deconvolution", [IMAGE, W], {"kernel": (4, 4), "num_filter": 16, "num_group": 8, "stride": (2, 2)}),
    (
        "Deconvolution",
        [IMAGE, W],
        {"kernel": (3, 3), "num_filter": 6, "stride": (2, 2), "target_shape": (22, 18)},
    ),
    (
        "Deconvolution",
        [IMAGE, W, W],
        {"kernel": (3, 3), "num_filter": 6, "target_shape": (0, 0), "no_bias": False},
    ),
    ("Deconvolution", [LAST, W], {"kernel": (3, 3), "num_filter": 6, "num_group": 2, "layout": "NHWC"}),
    ("_contrib_DeformableConvolution", [IMAGE, (2, 18, 9, 7), W, W], {"kernel": (3, 3), "num_filter": 6}),
    (
        "_contrib_DeformableConvolution",
        [IMAGE, (2, 36, 9, 7), W, W],
        {"kernel": (3, 3), "num_filter": 6, "num_group": 2, "num_deformable_group": 2},
    ),
    (
        "_contrib_ModulatedDeformableConvolution",
        [IMAGE, (2, 18, 9, 7), (2, 9, 9, 7), W, W],
        {"kernel": (3, 3), "num_filter": 6},
    ),
    (
        "_contrib_ModulatedDeformableConvolution",
        [IMAGE, (2, 36, 9, 7), (2, 18, 9, 7), W, W],
        {"kernel": (3, 3), "num_filter": 6, "num_deformable_group": 2},
    ),
    # dense layers and normalisation
    ("FullyConnected", [IMAGE, W, W], {"num_hidden": 5}),
    ("FullyConnected", [SEQUENCE, W], {"num_hidden": 5, "flatten": False, "no_bias": True}),
    ("Embedding", [(2, 5), W], {"input_dim": 7, "output_dim": 4}),
    ("BatchNorm", [IMAGE, W, W, W, W], {}),
    ("BatchNorm", [IMAGE, W, W, W, W], {"axis": -1}),
    ("_contrib_SyncBatchNorm", [IMAGE, W, W, W, W], {"key": "a"}),
    ("InstanceNorm", [IMAGE, W, W], {}),
    ("LayerNorm", [SEQUENCE, W, W], {}),
    ("LayerNorm", [SEQUENCE, W, W], {"axis": 1}),
    ("GroupNorm", [IMAGE, W, W], {"num_groups": 4}),
    ("L2Normalization", [IMAGE], {"mode": "channel"}),
    ("LRN", [IMAGE], {"nsize": 3}),
    # activations, pooling, resizing
    ("Activation", [IMAGE], {"act_type": "relu"}),
    ("LeakyReLU", [IMAGE], {"act_type": "elu"}),
    ("LeakyReLU", [IMAGE, W], {"act_type": "prelu"}),
    ("LeakyReLU", [IMAGE, (1,)], {"act_type": "prelu"}),
    ("softmax", [SEQUENCE], {"axis": 1}),
    ("Pooling", [IMAGE], {"kernel": (3, 3), "stride": (2, 2), "pad": (1, 1), "pool_type": "avg"}),
    ("Pooling", [IMAGE], {"kernel": (2, 2), "stride": (2, 2), "pooling_convention": "full"}),
    ("Pooling", [IMAGE], {"kernel": (2, 2), "stride": (3, 3), "pad": (1, 1), "pooling_convention": "full"}),
    ("Pooling", [IMAGE], {"global_pool": True}),
    ("Pooling", [IMAGE], {"kernel": (2, 2), "global_pool": 1}),
    ("Pooling", [LAST], {"kernel": (2, 2), "layout": "NHWC"}),
    ("Pooling", [LAST], {"global_pool": True, "layout": "NHWC"}),
    ("Pooling_v1", [IMAGE], {"kernel": (2, 2), "stride": (2, 2), "pooling_convention": "full"}),
    ("_contrib_AdaptiveAvgPooling2D", [IMAGE], {}),
    ("_contrib_AdaptiveAvgPooling2D", [IMAGE], {"output_size": 3}),
    ("_contrib_AdaptiveAvgPooling2D", [IMAGE], {"output_size": (3, 2)}),
    ("_contrib_BilinearResize2D", [IMAGE], {"height": 4, "width": 5}),
    ("_contrib_BilinearResize2D", [IMAGE, (2, 3, 5, 7)], {"mode": "like"}),
    ("UpSampling", [IMAGE], {"scale": 2, "sample_type": "nearest", "num_args": 1}),
    ("UpSampling", [IMAGE, (2, 3, 11, 9)], {"scale": 2, "sample_type": "nearest", "num_args": 2}),
    ("UpSampling", [IMAGE, W], {"scale": 2, "sample_type": "bilinear", "num_args": 2, "num_filter": 8}),
    # reductions
    ("sum", [IMAGE], {"axis": 1}),
    ("sum", [IMAGE], {"axis": (2, 3), "keepdims": 1}),
    ("sum", [IMAGE], {"axis": 1, "exclude": True}),
    ("mean", [IMAGE], {}),
    ("max", [IMAGE], {"axis": -1, "keepdims": True}),
    ("norm", [IMAGE], {"axis": 1}),
    ("argmax", [IMAGE], {"axis": 1, "keepdims": True}),
    ("argmax_channel", [IMAGE], {}),
    ("topk", [SEQUENCE], {"k": 3}),
    ("topk", [SEQUENCE], {"k": 3, "ret_typ": "mask"}),
    ("argsort", [SEQUENCE], {"axis": None}),
    # shape
    ("Flatten", [IMAGE], {}),
    ("Reshape", [IMAGE], {"shape": (0, -4, 2, -1, -2)}),
    ("Reshape", [IMAGE], {"shape": (-3, 0, -1)}),
    ("Reshape", [SEQUENCE], {"shape": (0, -1), "reverse": True}),
    ("Reshape", [(2, 6, 5)], {"target_shape": (2, 30)}),
    ("_npx_reshape", [(2, 6, 5)], {"newshape": (-2, -6, 2, -1, -4)}),
    (
        "reshape_like",
        [(2, 3, 6, 4), (2, 5, 8, 3)],
        {"lhs_begin": 2, "lhs_end": None, "rhs_begin": 2, "rhs_end": None},
    ),
    ("transpose", [IMAGE], {}),
    ("transpose", [IMAGE], {"axes": (0, 2, 3, 1)}),
    ("SwapAxis", [SEQUENCE], {"dim1": 0, "dim2": 2}),
    ("expand_dims", [SEQUENCE], {"axis": 1}),
    ("expand_dims", [SEQUENCE], {"axis": -1}),
    ("squeeze", [(2, 1, 5, 1)], {}),
    ("squeeze", [(2, 1, 5, 1)], {"axis": -1}),
    ("Concat", [IMAGE, (2, 3, 11, 9)], {"num_args": 2}),
    ("Concat", [IMAGE, IMAGE, IMAGE], {"num_args": 3, "dim": -1}),
    ("stack", [SEQUENCE, SEQUENCE], {"num_args": 2, "axis": -1}),
    ("SliceChannel", [IMAGE], {"num_outputs": 4}),
    ("SliceChannel", [(2, 4, 3)], {"num_outputs": 4, "squeeze_axis": 1}),
    ("_split_v2", [SEQUENCE], {"indices": (0, 3), "axis": 2}),
    ("_split_v2", [SEQUENCE], {"indices": (), "sections": 2, "axis": 2}),
    ("slice", [IMAGE], {"begin": (0, 2, 1), "end": (2, 5, 7)}),
    ("slice", [IMAGE], {"begin": (None, 2), "end": (None, 5)}),
    ("slice", [IMAGE], {"begin": (0, -6, 1, 1), "end": (None, -2, None, 99)}),
    ("slice_axis", [IMAGE], {"axis": 1, "begin": 2, "end": None}),
    ("slice_axis", [IMAGE], {"axis": -1, "begin": -4, "end": -1}),
    ("slice_like", [IMAGE, (2, 4, 5, 9)], {}),
    ("Crop", [IMAGE, (2, 3, 5, 5)], {"num_args": 2}),
    ("Crop", [IMAGE], {"num_args": 1, "h_w": (4, 5)}),
    ("Pad", [IMAGE], {"mode": "constant", "pad_width": (0, 0, 0, 0, 3, 0, 0, 1)}),
    ("reverse", [IMAGE], {"axis": 1}),
    ("tile", [(2, 3)], {"reps": (2, 4)}),
    ("repeat", [SEQUENCE], {"repeats": 2, "axis": -1}),
    ("repeat", [SEQUENCE], {"repeats": 2}),
    ("depth_to_space", [(1, 8, 3, 2)], {"block_size": 2}),
    ("space_to_depth", [(1, 3, 4, 6)], {"block_size": 2}),
    ("broadcast_to", [(1, 3, 1)], {"shape": (4, 0, 2)}),
    ("broadcast_axis", [(1, 3, 1)], {"axis": 2, "size": 4}),
    ("broadcast_like", [(5, 1, 8), (5, 3, 8)], {}),
    # elementwise
    ("elemwise_add", [IMAGE, IMAGE], {}),
    ("add_n", [IMAGE, IMAGE, IMAGE], {"num_args": 3}),
    ("broadcast_mul", [IMAGE, (2, 8, 1, 1)], {}),
    ("broadcast_add", [(1, 8, 1, 1), IMAGE], {}),
    ("where", [IMAGE, IMAGE, IMAGE], {}),
    ("where", [(5,), SEQUENCE, SEQUENCE], {}),
    # new tensors and choosing by index
    ("_zeros", [], {"shape": (2, 3)}),
    ("_arange", [], {"start": 2, "stop": 9}),
    ("_arange", [], {"start": 4}),
    ("_contrib_arange_like", [SEQUENCE], {"axis": 1}),
    ("take", [SEQUENCE, (3, 4)], {"axis": 1}),
    ("pick", [SEQUENCE, (5, 2)], {}),
    ("gather_nd", [(2, 3, 4, 5), (2, 7)], {}),
    ("one_hot", [(2, 3)], {"depth": 5}),
    ("SequenceMask", [SEQUENCE, (2,)], {"use_sequence_length": True}),
    ("SequenceLast", [SEQUENCE], {"axis": 1}),
    # products and attention
    ("batch_dot", [(2, 4, 5), (2, 5, 6)], {}),
    ("batch_dot", [(2, 5, 4), (2, 5, 6)], {"transpose_a": True}),
    ("batch_dot", [(2, 4, 5), (2, 6, 5)], {"transpose_b": True}),
    ("dot", [(3, 4, 5), (5, 6)], {}),
    ("dot", [(5, 3), (6, 5)], {"transpose_a": 1, "transpose_b": 1}),
    ("_linalg_gemm2", [(2, 3, 4, 5), (2, 3, 5, 6)], {}),
    ("_contrib_interleaved_matmul_selfatt_qk", [(5, 2, 24)], {"heads": 2}),
    ("_contrib_interleaved_matmul_selfatt_valatt", [(5, 2, 24), (4, 5, 5)], {"heads": 2}),
    ("_contrib_interleaved_matmul_encdec_qk", [(5, 2, 8), (6, 2, 16)], {"heads": 2}),
    ("_contrib_interleaved_matmul_encdec_valatt", [(6, 2, 16), (4, 5, 6)], {"heads": 2}),
    # regions, detection, losses, recurrent layers
    ("ROIPooling", [IMAGE, (7, 5)], {"pooled_size": (4, 3), "spatial_scale": 1}),
    (
        "_contrib_ROIAlign",
        [(1, 24, 9, 9), (7, 5)],
        {"pooled_size": (4, 3), "spatial_scale": 1, "position_sensitive": 1},
    ),
    ("GridGenerator", [(1, 6)], {"target_shape": (5, 4), "transform_type": "affine"}),
    ("_contrib_MultiBoxDetection", [(1, 8, 90), (1, 360), (1, 90, 4)], {}),
    ("_contrib_MultiBoxTarget", [(1, 90, 4), (1, 5, 5), (1, 8, 90)], {}),
    ("_contrib_box_iou", [(1, 8, 4), (7, 4)], {}),
    ("_contrib_Proposal", [(1, 24, 9, 9), (1, 48, 9, 9), (1, 3)], {}),
    ("CTCLoss", [(5, 2, 8), (2, 3)], {}),
    (
        "RNN",
        [(5, 2, 8), (2240,), (4, 2, 7), (4, 2, 7)],
        {"mode": "lstm", "state_size": 7, "num_layers": 2, "bidirectional": True},
    ),
]


@pytest.mark.parametrize(("operator", "inputs", "attributes"), CASES, ids=lambda value: str(value)[:60])
def test_shapes_are_those_of_mxnet(
    library: Library, operator: str, inputs: list[Given], attributes: dict[str, Any]
) -> None:
    pytest.importorskip("mxnet", reason="needs MXNet")
    from prunec.frontends.mxnet.sessions import infer_shapes

    known = {f"x{i}": shape for i, shape in enumerate(inputs) if shape is not None}
    expected = infer_shapes(model(operator, inputs, attributes), known)
    graph = bound(library, operator, inputs, attributes)
    assert not graph.opaque
    node = len(inputs)
    assert graph.shapes[Tensor(node, 0)] == expected[Tensor(node, 0)]
    for index in range(node):
        assert graph.shapes[Tensor(index, 0)] == expected[Tensor(index, 0)], f"input {index}"


def test_labels_are_unique(library: Library) -> None:
    labels = [rule.label for rule in library.rules]
    assert sorted(set(labels)) == sorted(labels)


def test_every_rule_is_documented(library: Library) -> None:
    assert [rule.label for rule in library.rules if not rule.documentation.strip()] == []


def test_each_operator_is_named_once_in_a_rule(library: Library) -> None:
    for rule in library.rules:
        names = [operator.name for operator in rule.operators]
        assert sorted(set(names)) == sorted(names), rule.label
