"""Symbol files loaded by MXNet, with any values of the graph for outputs."""

from __future__ import annotations

import json
from typing import Any, Mapping, Sequence

from prunec.frontends.mxnet.failures import failures
from prunec.frontends.mxnet.symbol import same_variables
from prunec.graph import Tensor
from prunec.support.diagnostics import Diagnostic, PrunecError


def document_of(symbol_json: bytes) -> dict[str, Any]:
    """The JSON of a symbol file.  Raises PrunecError P701 where it is none."""
    try:
        document = json.loads(symbol_json)
        if isinstance(document, dict) and isinstance(document["nodes"], list):
            return document
        reason = "it has no list of nodes"
    except KeyError:
        reason = "it has no list of nodes"
    except (ValueError, RecursionError) as error:
        reason = str(error)
    raise PrunecError(
        Diagnostic(
            "P701",
            "this is not an MXNet symbol file",
            notes=(reason,),
            help="give the JSON file that MXNet's `save` or `export` wrote",
        )
    )


def heads_of(document: Mapping[str, Any]) -> list[Tensor]:
    """The model's outputs; entries hold two numbers, or three with a version."""
    try:
        return [Tensor(int(entry[0]), int(entry[1])) for entry in document["heads"]]
    except (KeyError, TypeError, ValueError, IndexError):
        raise PrunecError(
            Diagnostic(
                "P701",
                "the model does not say what its outputs are",
                notes=('"heads" must be a list of pairs: the index of a node and of its output',),
                help="export the model again",
            )
        ) from None


def load(mx: Any, document: Mapping[str, Any], heads: Sequence[Tensor]) -> Any:
    """The symbol with other outputs.  They are set in the JSON, since names of inner values can repeat."""
    # It counts variables of one name as several, and cannot bind them.
    again = same_variables(document["nodes"])
    nodes = [
        {**node, "inputs": [[again.get(entry[0], entry[0]), *entry[1:]] for entry in node["inputs"]]}
        for node in document["nodes"]
    ]
    outputs = [[again.get(head.node, head.node), head.output, 0] for head in heads]
    changed = {**document, "nodes": nodes if again else document["nodes"], "heads": outputs}
    with failures("MXNet cannot load the model"):
        return mx.sym.load_json(json.dumps(changed))


def output_counts(mx: Any, document: Mapping[str, Any]) -> list[int]:
    """How many outputs each node has, hidden ones included, as MXNet counts them."""
    first = [Tensor(index, 0) for index in range(len(document["nodes"]))]
    loaded = json.loads(load(mx, document, first).tojson())
    # Loading an old file adds nodes for auxiliary states; the heads tell where each node went.
    rows = loaded["node_row_ptr"]
    return [rows[head[0] + 1] - rows[head[0]] for head in loaded["heads"]]


def check_outputs(document: Mapping[str, Any], counts: Sequence[int], outputs: Sequence[Tensor]) -> None:
    """Raises PrunecError P704 for outputs that do not exist; ``counts`` are how many each node has."""
    # MXNet itself does not check, and reads beyond its arrays.
    for node, output in outputs:
        if not 0 <= node < len(counts):
            reason = f"the model has {len(counts)} nodes, counted from 0"
        elif not 0 <= output < counts[node]:
            name = document["nodes"][node].get("name")
            reason = f'node {node}, "{name}", has {counts[node]} output(s), counted from 0'
        else:
            continue
        raise PrunecError(
            Diagnostic(
                "P704",
                f"output {output} of node {node} does not exist",
                notes=(reason,),
                help="count nodes in the order of the model's JSON file",
            )
        )
