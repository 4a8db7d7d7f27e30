"""The recipes of the diffusion model, on a few pictures: what they cut, weigh, pair and average."""

from argparse import Namespace

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from fakes.recipes import build_text_encoder
from torch import nn

from stilllife.judge import load_judge
from stilllife.recipes.autoencoder import (
    CROP,
    autoencoder_loss,
    build_autoencoder,
    crop_things,
    encode_all,
    reconstruction,
    set_scale,
)
from stilllife.recipes.collection import Collection, collect
from stilllife.recipes.denoiser import (
    CaptionStates,
    assemble,
    attributes_right,
    build_denoiser,
    build_scheduler,
    denoise_loss,
    load_pipeline,
    paint,
)
from stilllife.recipes.tokenizers import clip_tokenizer
from stilllife.recipes.training import Schedule, train
from stilllife.recipes.workshop import Workshop
from stilllife.scene import Mix
from transforms.models.files import locate
from transforms.models.spec import ModelSpec

SHIPPED = "package:stilllife/weights/diffusion"


@pytest.fixture(scope="module")
def scenes() -> Collection:
    return collect(5, 12, Mix(0.5, held_out=False))


@pytest.fixture(scope="module")
def autoencoder():
    torch.manual_seed(0)
    return build_autoencoder().eval()


@pytest.fixture(scope="module")
def text_encoder():
    return build_text_encoder(layers=1)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_crops_show_things_and_fit_their_masks(scenes):
    pictures = torch.from_numpy(scenes.pixels).permute(0, 3, 1, 2).float()
    things = torch.from_numpy(scenes.regions > 0).unsqueeze(1)
    some, masks = crop_things(pictures, things, generator())
    assert some.shape == (12, 3, CROP, CROP)
    assert masks.shape == (12, 1, CROP, CROP)
    assert masks.flatten(1).any(1).all()
    # The same cut of a picture that is its own mask.
    own, own_masks = crop_things(things.float().expand(-1, 3, -1, -1), things, generator())
    assert torch.equal(own[:, :1].bool(), own_masks)


def test_an_error_on_a_thing_counts_more(scenes, autoencoder):
    losses = autoencoder_loss(autoencoder, scenes, 2, generator())
    assert set(losses) == {"error", "kl"}
    assert all(torch.isfinite(value) for value in losses.values())


def test_latents_are_brought_to_a_spread_of_one(scenes):
    torch.manual_seed(0)
    network = build_autoencoder().eval()
    set_scale(network, scenes)
    spread = (encode_all(network, scenes).float() * network.config.scaling_factor).std()
    assert spread.item() == pytest.approx(1, abs=0.01)


def test_reconstruction_is_a_psnr(scenes):
    class Offset(nn.Module):
        """Gives back the picture, a tenth of the range brighter where it can be."""

        def encode(self, pictures):
            self.seen = pictures
            return self

        @property
        def latent_dist(self):
            return self

        def mode(self):
            return None

        def decode(self, _):
            self.sample = self.seen + 0.2
            return self

    dark = Collection(
        scenes.seed, scenes.mix, np.zeros_like(scenes.pixels), scenes.regions, scenes.labels
    )
    figures = reconstruction(Offset(), dark)
    assert figures == {"psnr": pytest.approx(20), "psnr_things": pytest.approx(20)}


def test_captions_are_embedded_once_and_found_by_picture(scenes, text_encoder):
    captions = scenes.captions()
    states = CaptionStates([*captions, captions[0]], text_encoder, clip_tokenizer())
    assert len(states.states) == len(set(captions)) + 1
    assert states.rows[0] == states.rows[-1]
    assert states.rows.min() == 1  # 0 is the empty text


def test_the_noise_network_learns_v(scenes, text_encoder):
    states = CaptionStates(scenes.captions(), text_encoder, clip_tokenizer())
    latents = torch.randn(12, 4, 16, 16, generator=generator())
    torch.manual_seed(0)
    denoiser = build_denoiser(16)
    loss = denoise_loss(denoiser, build_scheduler(), latents, states, 2, generator())
    assert set(loss) == {"v"}
    loss["v"].backward()
    assert denoiser.conv_in.weight.grad.abs().sum() > 0


@pytest.mark.slow
def test_the_whole_model_is_a_pipeline_that_paints(tmp_path, scenes, autoencoder, text_encoder):
    torch.manual_seed(0)
    parts = (autoencoder, build_denoiser(16), text_encoder, clip_tokenizer())
    assemble(*parts).save_pretrained(tmp_path)
    pipeline = load_pipeline(tmp_path)
    made = paint(pipeline, scenes.captions()[:2], guidance_scale=2.0, seed=0)
    assert made.shape == (2, 3, 64, 64)
    assert made.abs().max() <= 1


def test_attributes_are_judged_by_kind(scenes):
    class Reader:
        """Reads every picture as the first scene."""

        def read(self, pictures):
            return [scenes.scene(0).attributes()] * len(pictures)

    captions = [scenes.scene(0).caption(), scenes.scene(1).caption()]
    found = attributes_right(Reader(), torch.zeros(2, 3, 64, 64), captions)
    assert found["all"] == 0.5
    assert found["background"] in (0.5, 1.0)


class TestAverage:
    def run(self, steps, checkpoint=None, average=0.5):
        torch.manual_seed(0)
        model = nn.Linear(3, 1)
        schedule = Schedule(
            steps=steps, batch_size=1, learning_rate=0.1, seed=1, warmup_steps=1, average=average
        )
        values = torch.arange(6.0).view(2, 3)
        train(
            "line",
            model,
            lambda *_: {"square": (model(values) - 1).square().mean()},
            schedule,
            checkpoint=checkpoint,
            save_every=2,
        )
        return model.weight.detach().clone()

    def test_weights_come_out_averaged(self):
        assert not torch.equal(self.run(6), self.run(6, average=0.0))

    def test_the_average_of_a_short_run_is_not_its_beginning(self):
        """With a factor of 0.999 alone 99% of it would be the first step's weights."""
        first, last = self.run(1, average=0.999), self.run(6, average=0.0)
        average = self.run(6, average=0.999)
        assert (average - last).norm() < 0.5 * (first - last).norm()

    def test_a_run_goes_on_with_its_average(self, tmp_path):
        path = tmp_path / "line.pt"

        class Stopped(Exception):  # noqa: N818
            pass

        whole = self.run(6)
        torch.manual_seed(0)
        model = nn.Linear(3, 1)
        values, calls = torch.arange(6.0).view(2, 3), []

        def stop_after_four(*_):
            calls.append(1)
            if len(calls) > 4:
                raise Stopped
            return {"square": (model(values) - 1).square().mean()}

        schedule = Schedule(
            steps=6, batch_size=1, learning_rate=0.1, seed=1, warmup_steps=1, average=0.5
        )
        with pytest.raises(Stopped):
            train("line", model, stop_after_four, schedule, checkpoint=path, save_every=2)
        assert torch.equal(self.run(6, checkpoint=path), whole)


def test_the_shipped_autoencoder_keeps_things_of_combinations_it_never_saw():
    folder = locate(ModelSpec(loader="stable_diffusion", location=SHIPPED)) / "vae"
    autoencoder = AutoencoderKL.from_pretrained(folder, dtype=torch.float32).eval()
    for two_objects in (0.0, 1.0):
        found = reconstruction(autoencoder, collect(987, 48, Mix(two_objects, held_out=True)))
        assert found["psnr_things"] > 26


def test_the_shipped_model_paints_combinations_it_never_saw():
    pipeline = load_pipeline(locate(ModelSpec(loader="stable_diffusion", location=SHIPPED)))
    captions = collect(988, 20, Mix(0.0, held_out=True)).captions()
    made = paint(pipeline, captions, guidance_scale=3.0, seed=0)
    assert attributes_right(load_judge(), made, captions)["all"] >= 0.85


def test_what_is_kept_is_made_once(tmp_path):
    settings = {"runs": tmp_path, "weights": tmp_path, "measure": "test", "workers": 1}
    shop = Workshop(Namespace(**settings, pictures=1, scale=1.0, bfloat16=False, threads=1))
    made = shop.kept("numbers", lambda: torch.arange(3))

    def fail():
        raise AssertionError

    assert torch.equal(shop.kept("numbers", fail), made)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["numbers.pt"]
