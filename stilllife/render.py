"""Pictures and exact masks of scenes: a pure function of the scene."""

import colorsys
import io
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from stilllife.scene import PICTURE_SIZE, Scene, Thing
from stilllife.shapes import SHAPES, Polygon

SUPERSAMPLING = 4

HUES: dict[str, tuple[float, float, float]] = {
    "red": (0.0, 0.85, 0.80),
    "yellow": (0.145, 0.85, 0.93),
    "green": (0.36, 0.75, 0.58),
    "blue": (0.60, 0.80, 0.82),
    "purple": (0.77, 0.68, 0.58),
    "pink": (0.92, 0.40, 0.96),
}
"""Hue, saturation and value around which each colour varies, all in [0, 1]."""

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Rendering:
    """A picture (64, 64, 3) and one mask per thing (n, 64, 64), uint8; masks are 0 or 255.

    A mask holds the pixels of which the thing covers at least half. Things never overlap.
    """

    pixels: Pixels
    masks: Pixels

    def png(self) -> bytes:
        """The picture as an encoded PNG."""
        buffer = io.BytesIO()
        Image.fromarray(self.pixels).save(buffer, "PNG", compress_level=6)
        return buffer.getvalue()


def render(scene: Scene) -> Rendering:
    """Draws `scene`; the same bytes on every call."""
    rng = np.random.default_rng(scene.appearance_seed)
    canvas = _background(rng, patterned=scene.background == "patterned")
    masks = []
    for thing in scene.things:
        paint, cover = _draw_thing(rng, thing)
        canvas = _cast_shadow(rng, canvas, thing)
        canvas = canvas * (1 - cover[..., None]) + paint * cover[..., None]
        masks.append(np.where(cover >= 0.5, 255, 0).astype(np.uint8))
    return Rendering(pixels=_light(rng, canvas), masks=np.stack(masks))


def _grid() -> tuple[Floats, Floats]:
    ticks = (np.arange(PICTURE_SIZE) + 0.5) / PICTURE_SIZE
    x, y = np.meshgrid(ticks, ticks)
    return x.astype(np.float32), y.astype(np.float32)


_X, _Y = _grid()


def _muted(rng: np.random.Generator) -> Floats:
    hue, saturation, value = rng.random(), rng.uniform(0, 0.22), rng.uniform(0.42, 0.95)
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value), dtype=np.float32)


def _background(rng: np.random.Generator, *, patterned: bool) -> Floats:
    base = _muted(rng)
    angle = rng.uniform(0, 2 * math.pi)
    slope = rng.uniform(0, 0.12)
    ramp = 1 + slope * (math.cos(angle) * (_X - 0.5) + math.sin(angle) * (_Y - 0.5))
    canvas = base * ramp[..., None]
    if not patterned:
        return canvas.astype(np.float32)
    pattern = _pattern(rng)
    contrast = rng.uniform(0.16, 0.32) * (1 if base.mean() < 0.6 else -1)
    return (canvas + contrast * pattern[..., None]).astype(np.float32)


def _pattern(rng: np.random.Generator) -> Floats:
    """Stripes, checks or dots, in [0, 1], with soft edges."""
    angle = rng.uniform(0, math.pi)
    period = rng.uniform(7, 13) / PICTURE_SIZE
    phase_u, phase_v = rng.uniform(0, 2 * math.pi, size=2)
    u = np.sin((math.cos(angle) * _X + math.sin(angle) * _Y) * 2 * math.pi / period + phase_u)
    v = np.sin((-math.sin(angle) * _X + math.cos(angle) * _Y) * 2 * math.pi / period + phase_v)
    wave = (u, u * v, np.minimum(u, v) - 0.1)[rng.integers(3)]
    pattern: Floats = np.clip(wave * 3 + 0.5, 0, 1).astype(np.float32)
    return pattern


def _colour(rng: np.random.Generator, name: str) -> Floats:
    hue, saturation, value = HUES[name]
    hue = (hue + rng.uniform(-0.018, 0.018)) % 1
    saturation = np.clip(saturation * rng.uniform(0.88, 1.1), 0, 1)
    value = np.clip(value * rng.uniform(0.9, 1.08), 0, 1)
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value), dtype=np.float32)


def _draw_thing(rng: np.random.Generator, thing: Thing) -> tuple[Floats, Floats]:
    """The thing's paint (64, 64, 3) and cover (64, 64), both in [0, 1]."""
    colour = _colour(rng, thing.colour)
    side = PICTURE_SIZE * SUPERSAMPLING
    paint = Image.new("RGB", (side, side), _to_rgb(colour))
    cover = Image.new("L", (side, side), 0)
    brush, stencil = ImageDraw.Draw(paint), ImageDraw.Draw(cover)
    turn = math.radians(rng.uniform(-9, 9))
    mirrored = bool(rng.integers(2))
    for polygon in SHAPES[thing.noun]:
        outline = _in_picture(polygon, thing, turn=turn, mirrored=mirrored)
        brush.polygon(outline, fill=_paint_of(polygon, colour))
        stencil.polygon(outline, fill=255)
    shade = 1 + rng.uniform(-0.25, 0.25) * (_X - thing.centre_x / PICTURE_SIZE) * 3
    shade = np.clip(shade, 0.8, 1.2)[..., None]
    return _shrink(paint) * shade, _shrink(cover)


def _in_picture(
    polygon: Polygon, thing: Thing, *, turn: float, mirrored: bool
) -> list[tuple[float, float]]:
    cos, sin = math.cos(turn), math.sin(turn)
    longer = max(thing.width / thing.height, thing.height / thing.width)
    fit = 1 / (abs(cos) + abs(sin) * longer)
    points = []
    for x, y in polygon.outline:
        x = (0.5 - x if mirrored else x - 0.5) * thing.width * fit
        y = (y - 0.5) * thing.height * fit
        px = thing.centre_x + cos * x - sin * y
        py = thing.centre_y + sin * x + cos * y
        points.append((px * SUPERSAMPLING, py * SUPERSAMPLING))
    return points


def _paint_of(polygon: Polygon, colour: Floats) -> tuple[int, int, int]:
    return polygon.paint if polygon.tone is None else _to_rgb(np.clip(colour * polygon.tone, 0, 1))


def _to_rgb(colour: Floats) -> tuple[int, int, int]:
    red, green, blue = (round(float(c) * 255) for c in colour)
    return red, green, blue


def _shrink(image: Image.Image) -> Floats:
    small = image.reduce(SUPERSAMPLING)
    return (np.asarray(small, dtype=np.float32) / 255).astype(np.float32)


def _cast_shadow(rng: np.random.Generator, canvas: Floats, thing: Thing) -> Floats:
    depth = rng.uniform(0, 0.22)
    x = (_X * PICTURE_SIZE - thing.centre_x) / (thing.width * 0.55)
    y = (_Y * PICTURE_SIZE - thing.centre_y - thing.height * 0.5) / 3.0
    shadow = np.clip(1.4 - (x * x + y * y), 0, 1)
    return (canvas * (1 - depth * shadow)[..., None]).astype(np.float32)


def _light(rng: np.random.Generator, canvas: Floats) -> Pixels:
    gain = rng.uniform(0.85, 1.08)
    cast = 1 + rng.uniform(-0.05, 0.05, size=3)
    noise = rng.normal(0, rng.uniform(0.005, 0.02), size=canvas.shape)
    return np.round(np.clip(canvas * gain * cast + noise, 0, 1) * 255).astype(np.uint8)
