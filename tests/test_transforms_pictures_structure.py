from itertools import pairwise

import numpy as np
import pytest
from fakes.index import draw
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from transforms.pictures.structure import (
    structure_map,
    structure_similarities,
    structure_similarity,
)


def striped(colour, x, y, *, radius=12, phase=0):
    image = Image.new("RGB", (64, 64), (200, 200, 195))
    brush = ImageDraw.Draw(image)
    for start in range(-8 + phase, 64, 8):
        brush.rectangle((start, 0, start + 3, 64), fill=(150, 150, 146))
    brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return image


def test_a_map_is_256_bytes_and_the_same_every_time():
    image = draw("red", 20, 40)
    assert structure_map(image) == structure_map(image.copy())
    assert len(structure_map(image)) == 256
    assert max(structure_map(image)) == 255


def test_the_map_is_strong_where_the_object_is():
    energy = np.frombuffer(structure_map(draw("red", 16, 48)), np.uint8).reshape(16, 16)
    assert energy[8:, :8].sum() > 0.8 * energy.sum()


def test_a_plain_picture_has_an_empty_map():
    empty = structure_map(Image.new("RGB", (64, 64), (90, 140, 30)))
    assert empty == bytes(256)
    assert structure_similarity(empty, empty) == 1
    assert structure_similarity(empty, structure_map(draw("red", 20, 20))) == 0


def test_noise_is_not_structure():
    noise = np.random.default_rng(0).normal(128, 2, (64, 64, 3)).astype(np.uint8)
    assert structure_map(Image.fromarray(noise)) == bytes(256)


@pytest.mark.parametrize("paint", [draw, striped])
def test_similarity_falls_as_the_object_moves(paint):
    start = structure_map(paint((200, 40, 40), 16, 32))
    alike = [
        structure_similarity(start, structure_map(paint((200, 40, 40), 16 + step, 32)))
        for step in range(0, 32, 4)
    ]
    assert alike[0] == pytest.approx(1)
    assert all(nearer > further for nearer, further in pairwise(alike))
    assert alike[-1] < 0.3


def test_tint_and_texture_matter_less_than_place():
    source = structure_map(draw("red", 20, 24))
    recoloured = structure_map(draw("blue", 20, 24, ground=(180, 200, 170)))
    on_stripes = structure_map(striped((40, 160, 60), 20, 24, phase=3))
    moved = structure_map(draw("red", 32, 30))
    assert structure_similarity(source, recoloured) > 0.98
    assert structure_similarity(source, on_stripes) > 0.9
    assert structure_similarity(source, moved) < 0.8


def test_size_matters():
    small = structure_map(draw("red", 32, 32, radius=8))
    same = structure_map(draw("green", 33, 32, radius=8))
    large = structure_map(draw("red", 32, 32, radius=16))
    assert structure_similarity(small, same) > structure_similarity(small, large) + 0.2


def position_error(seed, choose):
    """Mean distance between a disc and the chosen one of sixteen on all grounds, in pixels."""
    rng = np.random.default_rng(seed)
    errors = []
    for _ in range(40):
        places = rng.uniform(14, 50, size=(17, 2))
        paints = [draw if rng.random() < 0.5 else striped for _ in places]
        colours = [tuple(int(value) for value in rng.integers(20, 150, 3)) for _ in places]
        maps = [
            structure_map(paint(colour, x, y))
            for paint, colour, (x, y) in zip(paints, colours, places, strict=True)
        ]
        chosen = choose(maps[0], maps[1:], rng)
        errors.append(np.linalg.norm(places[1 + chosen] - places[0]))
    return np.mean(errors)


def test_the_most_similar_of_sixteen_stands_nearby():
    def most_similar(source, maps, _):
        return int(np.argmax([structure_similarity(source, each) for each in maps]))

    def any_of_them(_, maps, rng):
        return int(rng.integers(len(maps)))

    assert position_error(1, most_similar) < 7
    assert position_error(1, any_of_them) > 14


def test_any_size_and_mode_of_picture_has_a_map():
    image = draw("red", 20, 40)
    large = image.resize((640, 320), Image.Resampling.NEAREST)
    assert structure_similarity(structure_map(image), structure_map(large)) > 0.95
    assert len(structure_map(image.convert("L"))) == 256
    assert len(structure_map(image.resize((3, 900)))) == 256


@given(st.binary(min_size=256, max_size=256), st.binary(min_size=256, max_size=256))
def test_similarity_is_symmetric_and_in_range(first, second):
    alike = structure_similarity(first, second)
    assert 0 <= alike <= 1
    assert alike == structure_similarity(second, first)
    assert structure_similarity(first, first) == pytest.approx(1)


def test_one_against_many_is_one_by_one():
    maps = np.random.default_rng(0).integers(0, 256, (5, 256)).astype(np.uint8)
    first = maps[0].tobytes()
    expected = [structure_similarity(first, each.tobytes()) for each in maps]
    assert structure_similarities(first, maps).tolist() == expected


def test_a_map_of_another_size_is_refused():
    with pytest.raises(ValueError, match="must have 256 bytes, got 3"):
        structure_similarity(b"abc", bytes(256))
