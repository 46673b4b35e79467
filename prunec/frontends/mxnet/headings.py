"""Where the nodes of a symbol file stand in it: what a diff of the file calls its hunks."""

from __future__ import annotations

from prunec.frontends.mxnet.json_spans import elements
from prunec.frontends.mxnet.symbol import SymbolFile
from prunec.frontends.mxnet.symbol_writing import nodes_start


def headings(file: SymbolFile) -> list[tuple[int, str]]:
    """The lines, counted from zero, in which nodes begin, each with the node's name (none where several begin
    in one)."""
    text = file.data.decode("utf-8")
    found: list[tuple[int, str]] = []
    line = position = 0
    for node, (start, _) in zip(file.nodes, elements(text, nodes_start(text))):
        line += text.count("\n", position, start)
        position = start
        if found and found[-1][0] == line:
            found[-1] = (line, "")
        else:
            found.append((line, node["name"]))
    return found
