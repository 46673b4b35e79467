"""Pictures of rectangles and texts, as SVG or, with matplotlib, as PNG; the same one gives the same bytes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from prunec.support.diagnostics import Diagnostic, PrunecError, printable

ENDINGS = (".svg", ".png")
#: Pixels of a PNG file for each of the picture.
_SCALE = 2
_ANCHORS = {"left": "start", "centre": "middle", "right": "end"}


class Colour(NamedTuple):
    """Red, green and blue from 0 to 255."""

    red: int
    green: int
    blue: int


WHITE, GREY, BLACK = Colour(255, 255, 255), Colour(85, 85, 85), Colour(0, 0, 0)


@dataclass(frozen=True)
class Rectangle:
    """A filled rectangle; ``x`` and ``y`` are its upper left corner, ``tip`` is shown by SVG files to who
    points at it."""

    x: int
    y: int
    width: int
    height: int
    fill: Colour
    tip: str = ""


@dataclass(frozen=True)
class Text:
    """A line of text of a height of ``size``; ``x`` is where its ``anchor`` is (``left``, ``centre``,
    ``right``), ``y`` its base line."""

    x: int
    y: int
    words: str
    anchor: str = "left"
    size: int = 11
    fill: Colour = BLACK


@dataclass(frozen=True)
class Picture:
    """Rectangles, and texts over them, in pixels from the upper left corner."""

    width: int
    height: int
    rectangles: tuple[Rectangle, ...]
    texts: tuple[Text, ...]


def check_picture(path: str) -> None:
    """Raises PrunecError P545 for a name that is of no known kind, P546 for a PNG file without matplotlib."""
    if not path.lower().endswith(ENDINGS):
        raise PrunecError(
            Diagnostic(
                "P545",
                "the kind of picture is not known",
                printable(path),
                notes=("a picture is an SVG or a PNG file, by the end of its name",),
                help="give a name that ends in .svg or .png",
            )
        )
    if path.lower().endswith(".png"):
        _matplotlib()


def drawn(picture: Picture, path: str) -> bytes:
    """The picture as the file that its name says.  Raises as :func:`check_picture`."""
    check_picture(path)
    return png(picture) if path.lower().endswith(".png") else svg(picture).encode("utf-8")


def svg(picture: Picture) -> str:
    """An SVG file."""
    size = f'width="{picture.width}" height="{picture.height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {picture.width} {picture.height}" '
        'font-family="sans-serif">',
        f'<rect {size} fill="white"/>',
    ]
    for shape in picture.rectangles:
        place = f'x="{shape.x}" y="{shape.y}" width="{shape.width}" height="{shape.height}"'
        tip = f"<title>{_escaped(shape.tip)}</title>" if shape.tip else ""
        lines.append(f'<rect {place} fill="{_rgb(shape.fill)}">{tip}</rect>')
    for text in picture.texts:
        place = f'x="{text.x}" y="{text.y}" font-size="{text.size}" text-anchor="{_ANCHORS[text.anchor]}"'
        lines.append(f'<text {place} fill="{_rgb(text.fill)}">{_escaped(text.words)}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def png(picture: Picture) -> bytes:
    """A PNG file.  Raises PrunecError P546 without matplotlib."""
    matplotlib = _matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle as Patch

    # A point is a 72nd of an inch, so that sizes of letters are in pixels of the picture.  The defaults
    # keep what a user set up for pictures of their own out of this one.
    with matplotlib.rc_context(matplotlib.rcParamsDefault):
        figure = Figure(figsize=(picture.width / 72, picture.height / 72), dpi=72 * _SCALE)
        canvas: Any = FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(0, picture.width)
        axes.set_ylim(picture.height, 0)
        for shape in picture.rectangles:
            corner = (shape.x, shape.y)
            axes.add_patch(Patch(corner, shape.width, shape.height, facecolor=_parts(shape.fill)))
        for text in picture.texts:
            # Names hold dollar signs and underscores that are no formulas.
            axes.text(
                text.x,
                text.y,
                text.words,
                fontsize=text.size,
                color=_parts(text.fill),
                horizontalalignment=text.anchor.replace("centre", "center"),
                parse_math=False,
            )
        file = io.BytesIO()
        canvas.print_png(file, metadata={"Software": None})
    return file.getvalue()


def _matplotlib() -> Any:
    try:
        import matplotlib
    except Exception as error:  # one that does not fit its numpy fails in many ways
        reason = (f"{type(error).__name__}: {error}".splitlines() or [""])[0]
        raise PrunecError(
            Diagnostic(
                "P546",
                "a PNG file needs matplotlib",
                notes=(printable(f"importing it gave: {reason}", 300),),
                help="pip install matplotlib, or give a name that ends in .svg",
            )
        ) from None
    return matplotlib


def _rgb(colour: Colour) -> str:
    return f"rgb({colour.red},{colour.green},{colour.blue})"


def _parts(colour: Colour) -> tuple[float, float, float]:
    return colour.red / 255, colour.green / 255, colour.blue / 255


def _escaped(text: str) -> str:
    return escape(printable(text), {'"': "&quot;"})
