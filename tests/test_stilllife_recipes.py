"""The recipes: what training must never show, and that training goes on where it stopped."""

import colorsys
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from stilllife.fields import ABSENT
from stilllife.recipes.augment import GAP, turn_hues
from stilllife.recipes.captioner import CaptionTokens
from stilllife.recipes.collection import HELD_OUT_SEEDS, TRAINING_SEED, collect, to_input
from stilllife.recipes.encoder import NAMED_SLOTS, near_miss
from stilllife.recipes.tokenizers import blip_tokenizer
from stilllife.recipes.training import Losses, Schedule, train
from stilllife.render import HUES
from stilllife.scene import Mix, draw_scene
from stilllife.words import COLOURS, NOUNS, SIZES, is_held_out

TRAINING = Mix(0.6, held_out=False)


def names_held_out(caption: str) -> bool:
    words = caption.split()
    return any(
        size in SIZES and colour in COLOURS and noun in NOUNS and is_held_out(noun, colour, size)
        for size, colour, noun in zip(words, words[1:], words[2:], strict=False)
    )


def degrees_from_names(pixel: np.ndarray) -> float:
    hue = colorsys.rgb_to_hsv(*pixel)[0]
    return min(abs((hue - named[0] + 0.5) % 1 - 0.5) * 360 for named in HUES.values())


@pytest.mark.parametrize("colour", COLOURS)
def test_turned_hues_have_no_name(colour):
    paint = torch.tensor(colorsys.hsv_to_rgb(*HUES[colour])).view(1, 3, 1, 1)
    images = (paint * 2 - 1).expand(200, 3, 2, 2)
    labels = torch.full((200,), COLOURS.index(colour)), torch.full((200,), ABSENT)
    turned, which = turn_hues(images, labels, 1.0, torch.Generator().manual_seed(1))
    assert which.all()
    distances = [degrees_from_names(((image[:, 0, 0] + 1) / 2).numpy()) for image in turned]
    # A turn about the grey axis is one of the hue circle to within 3 degrees.
    assert min(distances) > GAP - 3
    assert len({round(distance) for distance in distances}) > 3


def test_pictures_that_are_not_turned_stay_as_they_are():
    images = torch.rand(64, 3, 4, 4) * 2 - 1
    labels = torch.randint(6, (64,)), torch.full((64,), ABSENT)
    turned, which = turn_hues(images, labels, 0.5, torch.Generator().manual_seed(2))
    assert 10 < int(which.sum()) < 54
    torch.testing.assert_close(turned[~which], images[~which], atol=1e-5, rtol=0)
    assert not torch.isclose(turned[which], images[which], atol=1e-2).all()


def test_training_scenes_show_no_held_out_combination():
    assert not any(draw_scene(TRAINING_SEED, index, TRAINING).held_out for index in range(300))
    mix = Mix(0.5, held_out=True)
    for seed in HELD_OUT_SEEDS.values():
        assert all(draw_scene(seed, index, mix).held_out for index in range(100))


def test_the_decoder_never_reads_a_held_out_combination():
    tokenizer = blip_tokenizer()
    captions = [draw_scene(7, index, TRAINING).caption() for index in range(200)]
    tokens = CaptionTokens(captions, tokenizer)
    rows, turned = torch.arange(200), torch.ones(200, dtype=torch.bool)
    generator = torch.Generator().manual_seed(3)
    replaced = 0
    for _ in range(10):
        for ids, own in zip(tokens.context(rows, turned, generator), captions, strict=True):
            words = tokenizer.convert_ids_to_tokens(ids.tolist())
            assert not names_held_out(" ".join(words))
            replaced += any(word in COLOURS and word not in own for word in words)
    assert replaced > 500


def test_turned_pictures_ask_for_shapes_and_others_for_colours():
    tokenizer = blip_tokenizer()
    tokens = CaptionTokens(["a small red apple on the left of a plain background"] * 2, tokenizer)
    wanted = tokens.wanted(torch.arange(2), torch.tensor([True, False]))
    asked = [
        {tokenizer.convert_ids_to_tokens(number) for number in row.tolist() if number >= 0}
        for row in wanted
    ]
    assert {"small", "apple", "left", "plain"} <= asked[0]
    assert "red" not in asked[0]
    assert {"red", "left", "plain"} <= asked[1]
    assert not {"small", "apple"} & asked[1]


def test_near_misses_differ_and_name_nothing_held_out():
    chooser = random.Random(4)
    captions = [draw_scene(8, index, TRAINING).caption() for index in range(300)]
    for slots in (None, NAMED_SLOTS):
        for caption in captions:
            missed = near_miss(caption, chooser, *([slots] if slots else []))
            assert missed != caption
            assert not names_held_out(missed)
            if slots:
                assert sorted(w for w in missed.split() if w in NOUNS) == sorted(
                    w for w in caption.split() if w in NOUNS
                )


def test_a_collection_comes_back_from_its_cache(tmp_path: Path):
    made = collect(3, 6, TRAINING, cache=tmp_path)
    again = collect(3, 6, TRAINING, cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    np.testing.assert_array_equal(made.pixels, again.pixels)
    np.testing.assert_array_equal(made.regions, again.regions)
    assert {name: list(v) for name, v in made.labels.items()} == {
        name: list(v) for name, v in again.labels.items()
    }
    assert to_input(made.pixels).abs().max() <= 1


class StoppedError(Exception):
    """Stands for whatever ends a process in the middle of training."""


def small_network() -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(64, 64), nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, 3))


def run(network: nn.Module, checkpoint: Path | None, stop_at: int | None = None) -> None:
    def loss_of(generator: torch.Generator, step: int) -> Losses:
        if step == stop_at:
            raise StoppedError
        given = torch.randn(16, 64, generator=generator)
        return {"error": (network(given) - given[:, :3]).square().mean()}

    schedule = Schedule(steps=30, batch_size=16, learning_rate=1e-3, seed=6, warmup_steps=5)
    seconds = train("small", network, loss_of, schedule, checkpoint=checkpoint, save_every=10)
    assert seconds > 0


def test_training_that_was_interrupted_ends_with_the_same_weights(tmp_path: Path):
    whole, broken, resumed = small_network(), small_network(), small_network()
    run(whole, None)
    with pytest.raises(StoppedError):
        run(broken, tmp_path / "state.pt", stop_at=17)
    run(resumed, tmp_path / "state.pt")
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, atol=0, rtol=0)
        assert not torch.equal(value, small_network().state_dict()[name]) or "bias" in name


def test_a_loss_that_is_not_a_number_stops_training():
    network = small_network()
    schedule = Schedule(steps=2, batch_size=1, learning_rate=1e-3, seed=0)
    with pytest.raises(FloatingPointError, match="bad: loss is nan at step 0"):
        train(
            "bad",
            network,
            lambda _g, _s: {"x": network(torch.ones(64)).sum() * torch.nan},
            schedule,
        )
