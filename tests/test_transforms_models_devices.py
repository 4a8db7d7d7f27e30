"""Where networks compute and how precisely: on this machine, and on pretended ones with GPUs."""

import numpy as np
import pytest
import torch
from fakes.index import picture
from fakes.model_folders import network_spec
from fakes.pictures import noise

from transforms.embed import embed_images_batch
from transforms.models import devices
from transforms.models.devices import (
    NetworkOptions,
    Placement,
    describe_placements,
    fill_rows,
    first_device,
    own_device,
    place,
    take_card,
)
from transforms.models.loading import gpu_of, load_captioner, load_encoder, load_segmenter
from transforms.models.spec import ModelError, ModelSpec
from transforms.record import Batch

PICTURES = [noise(n, size) for n, size in enumerate([(32, 32), (60, 40), (33, 90)])]
TEXTS = ["a red apple", "the bus", "a large green pear"]


@pytest.fixture
def forgets():
    """What was found out of the machine, and which card is one's own, goes before and after."""
    first_device.cache_clear()
    yield
    first_device.cache_clear()
    take_card(None)


@pytest.fixture
def machine(monkeypatch, forgets, tmp_path):
    """Pretends that torch finds so many cards, or a Mac's GPU."""

    def pretend(*, cards=0, mps=False, sign=True):
        found = tmp_path / "nvidiactl"
        found.touch()
        signs = (str(found),) if sign else ()
        monkeypatch.setattr(devices, "SIGNS_OF_A_GPU", signs)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cards > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Card 9000")
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        first_device.cache_clear()

    return pretend


@pytest.mark.parametrize(
    ("here", "found"),
    [
        ({"cards": 2, "mps": True}, Placement("cuda", "float16")),
        ({"mps": True}, Placement("mps", "float16")),
        ({}, Placement("cpu", "float32")),
    ],
)
def test_auto_takes_the_best_device_and_its_precision(machine, here, found):
    machine(**here)
    assert place("auto", "auto") == found


def test_torch_is_not_asked_where_no_card_can_be(machine):
    machine(cards=1, sign=False)
    assert place("auto", "auto") == Placement("cpu", "float32")


def test_what_is_said_stands(machine):
    machine(cards=2)
    assert place("cpu", "bfloat16") == Placement("cpu", "bfloat16")
    assert place("cuda:1", "float32") == Placement("cuda:1", "float32")
    assert place("cuda:1", "auto").dtype == "float16"


def test_workers_take_cards_in_turn(machine):
    machine(cards=2)
    taken = []
    for worker in range(5):
        take_card(worker)
        taken.append(own_device("cuda"))
    assert taken == ["cuda:0", "cuda:1", "cuda:0", "cuda:1", "cuda:0"]
    assert own_device("cuda:1") == "cuda:1"
    assert own_device("cpu") == "cpu"


def test_an_absent_card_is_told_in_one_line(machine):
    machine(cards=1)
    with pytest.raises(ModelError, match="'cuda:3' cannot be used here: torch sees 1 cards"):
        own_device("cuda:3")
    machine()
    with pytest.raises(ModelError, match="torch sees 0 cards"):
        own_device("cuda")


def spec(**options):
    return ModelSpec(loader="clip", location="/models/clip", options=tuple(options.items()))


def test_the_cpu_in_float32_is_not_described_and_all_else_is(machine):
    machine(cards=1)
    parts = {
        "encoder": spec(device="cuda:0", dtype="float16", gpu_batch_size=128, batch_size=4),
        "captioner": spec(dtype="bfloat16", batch_size=4),
        "segmenter": spec(batch_size=4),
    }
    assert describe_placements(parts) == {
        "encoder": {
            "device": "cuda",
            "dtype": "float16",
            "gpu_batch_size": 128,
            "card": "Card 9000",
        },
        "captioner": {"device": "cpu", "dtype": "bfloat16", "batch_size": 4},
    }
    assert (gpu_of(parts["encoder"]), gpu_of(parts["segmenter"])) == ("cuda:0", None)


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({}, 16),
        ({"batch_size": 5}, 5),
        ({"device": "cuda"}, 64),
        ({"device": "mps", "gpu_batch_size": 100}, 100),
    ],
)
def test_the_rows_are_those_of_the_device(options, rows):
    assert NetworkOptions(**options).rows == rows


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (
            {"dtype": "float8"},
            "dtype must be one of auto, float32, float16, bfloat16, got 'float8'",
        ),
        (
            {"device": "the GPU"},
            "device must be auto, cpu, mps, cuda or cuda:NUMBER, got 'the GPU'",
        ),
        ({"gpu_batch_size": 0}, "gpu_batch_size must be at least 1, got 0"),
    ],
)
def test_options_are_checked(options, rule):
    with pytest.raises(ValueError, match=rule):
        NetworkOptions(**options)


@pytest.mark.parametrize(
    ("rows", "least", "filled"), [(1, 16, 16), (4, 16, 16), (10, 16, 20), (64, 16, 64)]
)
def test_rows_are_filled(rows, least, filled):
    assert fill_rows(rows, least=least) == filled


@pytest.mark.parametrize("loader", ["clip", "open_clip"])
def test_half_precision_embeds_nearly_the_same_and_repeats(network_folders, loader):
    folder = network_folders[loader]
    exact, half, again = (
        load_encoder(network_spec(loader, folder, dtype=dtype))
        for dtype in ("float32", "bfloat16", "bfloat16")
    )
    for embed, items in (("encode_images", PICTURES), ("encode_texts", TEXTS)):
        rows = getattr(half, embed)(items)
        assert rows.dtype == np.float32
        assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
        assert np.array_equal(rows, getattr(again, embed)(items))
        cosines = (rows * getattr(exact, embed)(items)).sum(axis=1)
        assert 0.99 < cosines.min() < 1


def test_half_precision_captions_and_segments(network_folders):
    half = {"dtype": "bfloat16"}
    captioner = load_captioner(
        network_spec("blip", network_folders["blip"], max_new_tokens=6, num_beams=2, **half)
    )
    captions = captioner.caption(PICTURES)
    assert len(captions) == len(PICTURES)
    assert captions == captioner.caption(PICTURES)
    assert all(0 < caption.confidence <= 1 for caption in captions)
    exact = load_segmenter(network_spec("clipseg", network_folders["clipseg"]))
    segmenter = load_segmenter(network_spec("clipseg", network_folders["clipseg"], **half))
    maps = segmenter.relevance(PICTURES, TEXTS)
    assert maps.dtype == np.float32
    assert np.abs(maps - exact.relevance(PICTURES, TEXTS)).mean() < 0.01


def test_fitted_pictures_give_the_same_bits(network_folders):
    for loader in ("clip", "open_clip"):
        encoder = load_encoder(network_spec(loader, network_folders[loader]))
        fitted = [encoder.fit(picture) for picture in PICTURES]
        assert np.array_equal(encoder.encode_images(fitted), encoder.encode_images(PICTURES))
    segmenter = load_segmenter(network_spec("clipseg", network_folders["clipseg"]))
    fitted = [segmenter.fit(picture) for picture in PICTURES]
    assert np.array_equal(segmenter.relevance(fitted, TEXTS), segmenter.relevance(PICTURES, TEXTS))
    captioner = load_captioner(network_spec("blip", network_folders["blip"], max_new_tokens=6))
    assert captioner.caption([captioner.fit(p) for p in PICTURES]) == captioner.caption(PICTURES)


def test_more_rows_at_once_than_pictures_are_no_padding(network_folders):
    """A chunk of the stage fills the network, whatever the preset says it takes."""
    seen = []

    class Counting:
        dimension = 3
        rows = 40

        def encode_images(self, images):
            seen.append(len(images))
            return np.tile(np.float32([1, 0, 0]), (len(images), 1))

        def encode_texts(self, texts):
            raise AssertionError("no texts are asked for")

    pictures = [picture(f"p{n:02}", noise(n, (32, 32)), "a red disc") for n in range(100)]
    batch = embed_images_batch(Batch("s", 0, tuple(pictures), ()), Counting())
    assert [record.source.key for record in batch.records] == [each.key for each in pictures]
    assert seen == [40, 40, 20]
