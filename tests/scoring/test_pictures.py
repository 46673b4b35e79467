"""Pictures of sensitivities, as SVG and as PNG."""

from __future__ import annotations

import struct
import sys
import xml.etree.ElementTree as ElementTree
import zlib
from typing import Any

import numpy as np
import pytest

from prunec.scoring.heatmap import heatmap
from prunec.scoring.pictures import Colour, Picture, Rectangle, Text, check_picture, drawn
from prunec.scoring.sensitivity import Entry
from prunec.support.diagnostics import PrunecError, render

ENTRIES = (
    Entry(0, "a<&$x_1$>", 8, 2, 0.1, None),
    Entry(0, "a<&$x_1$>", 8, 4, 0.4, None),
    Entry(1, "conv", 6, 3, 0.0, None),
)


def pixels(data: bytes) -> np.ndarray:
    """The pixels (height, width, 4) of a PNG file without interlacing, of eight bits a channel."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (length,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        chunks[kind] = chunks.get(kind, b"") + data[at + 8 : at + 8 + length]
        at += length + 12
    width, height, *form = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert form == [8, 6, 0, 0, 0]
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + 4 * width)
    result = np.zeros((height, width, 4), np.uint8)
    for y in range(height):
        result[y] = unfiltered(rows[y], result[y - 1] if y else np.zeros((width, 4), np.uint8))
    return result


def unfiltered(row: np.ndarray, above: np.ndarray) -> np.ndarray:
    """A row of pixels, its filter undone."""
    values = row[1:].reshape(-1, 4).astype(int)
    if row[0] == 0:
        return values
    if row[0] == 2:
        return (values + above) % 256
    left, corner = np.zeros(4, int), np.zeros(4, int)
    for x, up in enumerate(above.astype(int)):
        if row[0] == 1:
            guess = left
        elif row[0] == 3:
            guess = (left + up) // 2
        else:
            far = [abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)]
            guess = np.where(
                (far[0] <= far[1]) & (far[0] <= far[2]), left, np.where(far[1] <= far[2], up, corner)
            )
        values[x] = (values[x] + guess) % 256
        left, corner = values[x], up
    return values


def test_svg() -> None:
    picture = heatmap(ENTRIES, "Sensitivity of net")
    data = drawn(picture, "x.SVG")
    root = ElementTree.fromstring(data)
    assert root.attrib["width"] == str(picture.width)
    texts = [element.text for element in root if element.tag.endswith("text")]
    assert texts[0] == "Sensitivity of net" and "0 a<&$x_1$>" in texts and "25%" in texts and "0.4" in texts
    tips = [element[0].text for element in root if len(element)]
    assert "conv: 3 of 6 units, change 0" in tips
    assert data == drawn(heatmap(ENTRIES, "Sensitivity of net"), "x.svg")


def test_png_shows_the_same() -> None:
    matplotlib = pytest.importorskip("matplotlib", reason="needs matplotlib")
    fill = Colour(190, 74, 72)
    picture = Picture(60, 40, (Rectangle(10, 5, 20, 10, fill),), (Text(40, 30, "$x_1$", "centre"),))
    data = drawn(picture, "x.png")
    shown = pixels(data)
    assert shown.shape == (80, 120, 4) and (shown[..., 3] == 255).all()
    inside = shown[11:29, 21:59, :3]
    assert (inside == fill).all() and (shown[:8, :, :3] == 255).all() and (shown[32:, :18, :3] == 255).all()
    letters = np.argwhere(shown[32:, :, 0] < 128)
    assert len(letters) > 20 and abs(letters[:, 1].mean() - 80) < 6
    with matplotlib.rc_context({"font.size": 3, "savefig.dpi": 30, "axes.facecolor": "red"}):
        assert drawn(picture, "x.png") == data


def test_kinds_there_are_not(monkeypatch: Any) -> None:
    with pytest.raises(PrunecError) as caught:
        check_picture("s.jpeg")
    assert render(caught.value.diagnostics[0]) == (
        "error[P545]: the kind of picture is not known\n"
        "  --> s.jpeg\n"
        "  note: a picture is an SVG or a PNG file, by the end of its name\n"
        "  help: give a name that ends in .svg or .png"
    )
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(PrunecError) as caught:
        check_picture("s.png")
    shown = render(caught.value.diagnostics[0])
    assert shown.startswith("error[P546]: a PNG file needs matplotlib\n  note: importing it gave: ")
    assert shown.endswith("help: pip install matplotlib, or give a name that ends in .svg")
