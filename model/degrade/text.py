"""Writing on pictures: subtitles, captions, titles, at any angle and in any colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.degrade.fonts import Font, draw_font
from model.degrade.overlay import Colour, Layer, Overlay, lay
from model.degrade.settings import Settings, Stages, between, choose, happens, whole
from model.degrade.words import phrase, signs

_CHARACTERS = 50
_MOST_LINES = 3
_LEADING = 1.25
"""Height of a line in sizes of the font."""
_SLANT = 0.22
"""Slant of made italics: px to the side per px up."""


@dataclass(frozen=True)
class Style:
    """How a text is written; lengths in px of the target."""

    font: Font
    size_px: int
    kerning_px: float
    angle_deg: float
    italic: bool
    boxed: bool
    dress: str
    """plain, outline or shadow"""
    ink: Colour
    edge: Colour
    """Colour of the outline, the shadow or the box."""


def draw_text(
    rng: np.random.Generator, settings: Settings, stages: Stages, height: int, width: int
) -> Overlay | None:
    """Draw whether there is text on a target of that size, what, where, and how it is written."""
    weights = settings.texts_wide if width >= 512 else settings.texts_narrow
    kind = choose(rng, weights) if width >= 256 else "none"
    stages["text"] = kind
    if kind == "none":
        return None
    style = _style(rng, settings, stages)
    random = happens(rng, 0.5)
    text = signs(rng, _CHARACTERS) if random else phrase(rng, _CHARACTERS)
    if happens(rng, 0.15):
        text = text.upper()
    layers = _layers(rng, style, _broken(text, style, 0.95 * width))
    return _placed(rng, layers, height, width, upright=style.angle_deg == 0)


def _style(rng: np.random.Generator, settings: Settings, stages: Stages) -> Style:
    smallest = 36.0 if happens(rng, 0.5) else 24.0
    size = round(between(rng, (smallest, 72.0), power=2.0))
    font, name = draw_font(rng, size, settings.fonts)
    ink, edge = _colours(rng)
    style = Style(
        font=font,
        size_px=size,
        kerning_px=between(rng, (-0.03, 0.1)) * size if happens(rng, 0.5) else 0.0,
        angle_deg=0.0 if happens(rng, 0.75) else between(rng, (-90.0, 90.0)),
        italic=happens(rng, 0.25),
        boxed=happens(rng, 0.08),
        dress=choose(rng, {"plain": 3, "outline": 3, "shadow": 1}),
        ink=ink,
        edge=edge,
    )
    stages |= {"text.font": name, "text.size_px": size, "text.angle_deg": style.angle_deg}
    stages |= {"text.italic": style.italic, "text.boxed": style.boxed, "text.dress": style.dress}
    return style


def _colours(rng: np.random.Generator) -> tuple[Colour, Colour]:
    """Of the letters, and of what is behind them."""
    kind = choose(rng, {"white": 3, "yellow": 1, "any": 4})
    red, green, blue = (whole(rng, (0, 255)) for _ in range(3))
    if kind != "any":
        red = green = whole(rng, (200, 255))
        blue = red if kind == "white" else whole(rng, (0, 90))
    edge = 235 if red + green + blue < 300 else whole(rng, (0, 24))
    return (red, green, blue), (edge, edge, edge)


def _length(line: str, style: Style) -> float:
    return sum(style.font.getlength(c) + style.kerning_px for c in line)


def _broken(text: str, style: Style, room_px: float) -> list[str]:
    """Lines that fit, broken at the last space where there is one; no more than a few."""
    lines = [""]
    for character in text:
        lines[-1] += character
        if _length(lines[-1], style) > room_px and len(lines[-1]) > 1:
            at = lines[-1].rstrip().rfind(" ")
            at = at if at > 0 else len(lines[-1]) - 1
            lines[-1:] = [lines[-1][:at], lines[-1][at:].lstrip()]
    return [line for line in lines if line.strip()][:_MOST_LINES]


def _written(lines: list[str], style: Style, margin: int, stroke_px: int = 0) -> Image.Image:
    """White letters on black, each at its own place to a part of a px, `margin` px all around."""
    lengths = [_length(line, style) for line in lines]
    step = _LEADING * style.size_px
    size = (round(max(lengths)) + 2 * margin, round(step * len(lines)) + 2 * margin)
    mask = Image.new("L", size)
    canvas = ImageDraw.Draw(mask)
    for row, (line, length) in enumerate(zip(lines, lengths, strict=True)):
        x, y = margin + (max(lengths) - length) / 2, margin + step * row
        for character in line:
            canvas.text((x, y), character, fill=255, font=style.font, stroke_width=stroke_px)
            x += _length(character, style)
    return mask


def _layers(rng: np.random.Generator, style: Style, lines: list[str]) -> list[Layer]:
    """Masks and colours from the lowest to the uppermost: box, outline or shadow, letters."""
    margin = style.size_px // 3 + 4
    letters = _written(lines, style, margin)
    masks: list[tuple[Image.Image, Colour]] = []
    if style.boxed:
        masks.append((Image.new("L", letters.size, whole(rng, (120, 255))), style.edge))
    if style.dress == "outline":
        stroke = max(1, round(style.size_px * between(rng, (0.03, 0.08))))
        masks.append((_written(lines, style, margin, stroke), style.edge))
    elif style.dress == "shadow":
        shadow, step = Image.new("L", letters.size), max(1, style.size_px // 16)
        shadow.paste(letters, (step, step))
        masks.append((shadow, style.edge))
    masks.append((letters, style.ink))
    return [(_turned(mask, style), colour) for mask, colour in masks]


def _turned(mask: Image.Image, style: Style) -> NDArray[np.float32]:
    """The mask slanted and turned as the style says, in 0 to 1."""
    if style.italic:
        width, height = mask.size
        lean = round(_SLANT * height)
        matrix = (1, _SLANT, -float(lean), 0, 1, 0)
        mask = mask.transform(
            (width + lean, height), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC
        )
    if style.angle_deg:
        mask = mask.rotate(style.angle_deg, Image.Resampling.BICUBIC, expand=True)
    shares: NDArray[np.float32] = np.asarray(mask, dtype=np.float32) / np.float32(255)
    return shares


def _placed(
    rng: np.random.Generator, layers: list[Layer], height: int, width: int, *, upright: bool
) -> Overlay:
    """Put the layers somewhere on the picture; half of what is upright goes where subtitles go."""
    high, wide = layers[0][0].shape
    free_y, free_x = height - high, width - wide
    low = upright and happens(rng, 0.5)
    top = between(rng, (0.6 * free_y if low else 0.0, free_y))
    left = free_x / 2 if low else between(rng, (0.0, free_x))
    return lay(layers, int(top) // 2 * 2, int(left) // 2 * 2, height, width)
