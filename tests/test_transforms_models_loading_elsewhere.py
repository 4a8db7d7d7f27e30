"""The pipeline's models on a device of their own: nothing mixes, and they say the same."""

import numpy as np
import pytest
from fakes.far_device import far_device
from fakes.model_folders import network_spec
from fakes.pictures import noise

from transforms.models.loading import load_captioner, load_encoder, load_segmenter

PICTURES = [noise(n, size) for n, size in enumerate([(32, 32), (60, 40), (33, 90)])]
TEXTS = ["a red apple", "the bus", "a large green pear"]


def caption(spec):
    return [each.confidence for each in load_captioner(spec).caption(PICTURES)]


def encode(spec):
    encoder = load_encoder(spec)
    return np.concatenate([encoder.encode_images(PICTURES), encoder.encode_texts(TEXTS)])


def segment(spec):
    return np.stack(load_segmenter(spec).relevance(PICTURES, TEXTS))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loader", "use", "options"),
    [
        ("blip", caption, {"num_beams": 1, "max_new_tokens": 6}),
        ("blip", caption, {"num_beams": 3, "max_new_tokens": 6}),
        ("clip", encode, {}),
        ("open_clip", encode, {}),
        ("clipseg", segment, {}),
    ],
)
def test_it_says_the_same(network_folders, loader, use, options):
    folder = network_folders[loader]
    near = use(network_spec(loader, folder, **options))
    with far_device() as far:
        found = use(network_spec(loader, folder, device=far, **options))
    assert np.allclose(found, near, rtol=1e-3, atol=1e-4)
