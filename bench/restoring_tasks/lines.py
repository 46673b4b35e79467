"""Lines of text as pictures: words of English, faces from packages of fonts, blur and noise."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from bench.packages import Shipped, unpack
from bench.restoring_tasks.task import Array

_SANS = "font-source-sans-pro==0.0.1"
_SERIF = "font-source-serif-pro==0.0.1"
_CALADEA = "font-caladea==0.0.2"
FONTS = (
    *(
        Shipped(_SANS, f"font_source_sans_pro/files/SourceSansPro-{style}.ttf")
        for style in ("Regular", "Bold")
    ),
    Shipped(_SANS, "font_source_sans_pro/files/SourceSansPro-It.ttf"),
    *(
        Shipped(_SERIF, f"font_source_serif_pro/files/SourceSerifPro-{style}.ttf")
        for style in ("Regular", "Semibold", "It")
    ),
    *(
        Shipped(_CALADEA, f"font_caladea/files/Caladea-{style}.ttf")
        for style in ("Regular", "Bold", "Italic")
    ),
)

_TEXT = """
about above across after again against almost along already also although always among animal answer apple
autumn balance basket because before behind believe below between bicycle blanket borrow bottle bridge
bright brother building butter camera candle carbon carry castle ceiling centre chapter cheese children
circle clean climate clock cloud coffee colour common copper corner cotton country course cousin crystal
curious dance danger daughter decide degree delay depend desert detail dinner direct distance doctor double
drawing during early earth easy either electric eleven empty energy engine enough equal evening every exact
example explain factor family famous farmer father feather fellow fence field figure finger finish flower
follow forest forget fortune forward freedom friend frozen future garden gather gentle giant glass golden
grammar gravity green ground harbour harvest health heavy height history holiday honest hundred husband
imagine include indeed inside island jacket journey judge justice kettle kitchen knife knowledge ladder
language laugh leather lemon letter library listen little machine magnet manner market matter measure
medicine member middle minute mirror modern moment money morning mother mountain museum music narrow nation
nature needle neither never night noble number object ocean office often orange orbit order other outside
oxygen paper parent pattern pencil people perfect picture planet player pocket police powder prepare present
pretty problem promise purple puzzle quality question quick quiet rabbit railway random rather reason record
region remember report result return river rocket sample school science season second secret shadow share
silver simple sister smooth soldier special spring square station steam stone storm story street strong
student summer supper symbol system table teacher temple thought thunder ticket together tomorrow traffic
travel triangle tunnel twelve uncle under useful valley velvet village violin visit voyage water weather
welcome whether whisper window winter wonder yellow zero
"""
WORDS = tuple(_TEXT.split())
_SCALE = 255.0 / 2.0


def sentence(random: np.random.Generator, longest: int, least: int = 1) -> str:
    """Words, at least so many, numbers and marks, up to so many characters where that leaves a word."""
    parts = [str(random.choice(WORDS)) for _ in range(int(random.integers(least, 5)))]
    style = random.random()
    if style < 0.5:
        parts[0] = parts[0].capitalize()
    elif style < 0.65:
        parts = [part.upper() for part in parts]
    if random.random() < 0.4:
        parts.insert(int(random.integers(0, len(parts) + 1)), str(random.integers(0, 10_000)))
    if random.random() < 0.3:
        parts[-1] += str(random.choice([".", "!", "?"]))
    while len(parts) > 1 and len(" ".join(parts)) > longest:
        parts.pop()
    return " ".join(parts)


@lru_cache(maxsize=256)
def _font(number: int, size: int) -> ImageFont.FreeTypeFont:
    # No ligatures: they are other characters.
    return ImageFont.truetype(str(unpack(FONTS[number])), size, layout_engine=ImageFont.Layout.BASIC)


def picture(random: np.random.Generator, text: str) -> Image.Image:
    """The text in some face, size and colour, on a ground of another, a little blurred and noisy."""
    font = _font(int(random.integers(len(FONTS))), int(random.integers(20, 45)))
    left, top, right, bottom = font.getbbox(text)
    margin = [int(own) for own in random.integers(2, 9, 4)]
    size = (int(right - left) + margin[0] + margin[1], int(bottom - top) + margin[2] + margin[3])
    ground, ink = _colours(random)
    image = Image.new("RGB", size, ground)
    ImageDraw.Draw(image).text((margin[0] - left, margin[2] - top), text, font=font, fill=ink)
    if random.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(float(random.uniform(0.2, 0.9))))
    noise = random.normal(0.0, random.uniform(0.0, 14.0), (size[1], size[0], 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def _colours(random: np.random.Generator) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A ground and an ink that differ enough to be read."""
    light = tuple(int(own) for own in random.integers(165, 256, 3))
    dark = tuple(int(own) for own in random.integers(0, 90, 3))
    return (light, dark) if random.random() < 0.8 else (dark, light)


def fitted(image: Image.Image, height: int, width: int) -> Array:
    """The picture at this height, padded or squeezed to this width, values from -1 to 1: (3, height, width).

    What is padded is zero, as in the software that the models come from.
    """
    wide = min(width, max(1, round(image.width * height / image.height)))
    scaled = np.asarray(image.resize((wide, height), Image.Resampling.BILINEAR), np.float32)
    result = np.zeros((3, height, width), np.float32)
    # The models take the order of colours of OpenCV: blue, green, red.
    result[:, :, :wide] = (scaled[:, :, ::-1] / _SCALE - 1.0).transpose(2, 0, 1)
    return result
