"""How likely a captioner finds a text, against the captioner's own words."""

import math

import pytest
import torch
from fakes.pictures import noise
from PIL import Image

from editing.features.caption_likelihood import load_caption_likelihood
from editing.pictures import picture_to_tensor
from transforms.models.blip import load_blip
from transforms.models.spec import ModelError, ModelSpec


@pytest.fixture(scope="module")
def spec(editing_world):
    return ModelSpec(loader="blip", location=str(editing_world / "blip"))


@pytest.fixture(scope="module")
def likelihood(spec):
    return load_caption_likelihood(spec)


def pictures(count=2):
    images: list[Image.Image] = [noise(n) for n in range(count)]
    return torch.stack([picture_to_tensor(image) for image in images])


def test_it_is_the_sum_of_the_words_chances(likelihood):
    """Word by word, as the captioner would have written them."""
    network, tokenizer = likelihood.captioner.network, likelihood.captioner.tokenizer
    seen = pictures(1)
    text = "a red apple"
    ids = tokenizer(text).input_ids
    start = network.config.text_config.bos_token_id
    with torch.no_grad():
        found = likelihood.of_texts([text])(seen).item()
        states = network.vision_model(
            pixel_values=likelihood.captioner.pictures([noise(0)])
        ).last_hidden_state
        wanted = 0.0
        for place in range(1, len(ids)):
            logits = network.text_decoder(
                input_ids=torch.tensor([[start, *ids[1:place]]]), encoder_hidden_states=states
            ).logits[0, -1]
            wanted += torch.log_softmax(logits, -1)[ids[place]].item()
    assert found == pytest.approx(wanted, abs=1e-3)
    assert found < 0


def test_a_text_does_not_depend_on_longer_ones_beside_it(likelihood):
    with torch.no_grad():
        both = likelihood.of_texts(["a bus", "a small red apple on the bus"])(pictures())
        alone = likelihood.of_texts(["a bus"])(pictures()[:1])
    torch.testing.assert_close(both[:1], alone, atol=1e-4, rtol=1e-4)


def test_gradients_pass_through_the_picture(likelihood):
    seen = pictures().requires_grad_()
    likelihood.of_texts(["a bus", "a train"])(seen).sum().backward()
    assert (seen.grad.flatten(1).norm(dim=1) > 0).all()


def test_what_the_captioner_writes_is_likelier_than_what_it_would_not(likelihood, spec):
    (written,) = load_blip(spec).caption([noise(0)])
    other = " ".join(["train", *written.text.split()[1:]]) or "train"
    with torch.no_grad():
        likely = likelihood.of_texts([written.text or "a"])(pictures(1)).item()
        less = likelihood.of_texts([other])(pictures(1)).item()
    assert math.isfinite(likely)
    assert likely >= less


def test_one_text_a_picture(likelihood):
    with pytest.raises(ValueError, match="one text per picture: 2 and 1"):
        likelihood.of_texts(["a"])(pictures())


def test_other_captioners_are_refused():
    with pytest.raises(ModelError, match="no captioner loader 'x'; there are blip"):
        load_caption_likelihood(ModelSpec(loader="x", location="x"))
