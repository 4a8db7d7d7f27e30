"""Steps of FlexIT: their length, where they go, and what stays."""

import dataclasses
import math

import pytest
import torch
from fakes.diffusion import SIZE, latents
from fakes.editors import seeded

from editing.editors.flexit.descent import EditLoss, descend, step_lengths, touched_places
from editing.editors.flexit.prior import DiffusionPrior
from editing.editors.flexit.settings import WAYS
from editing.editors.flexit.target import JointEncoder, make_target
from editing.editors.flexit.views import draw_views

PLAIN = dataclasses.replace(
    WAYS["thesis"], steps=3, views=0, weight_latent=0.0, weight_perceptual=0.0, step_size=0.1
)


class ColourSpace:
    """The mean colour of a picture, and red for every text."""

    def embed_pictures(self, pictures):
        return pictures.mean((2, 3)) + 2

    def embed_texts(self, texts):
        return torch.tensor([[3.0, 1.0, 1.0]]).expand(len(texts), 3)


def make_loss(model, way=PLAIN, *, masks=None, count=2):
    encoder = JointEncoder((ColourSpace(),))
    sources = torch.rand(count, 3, SIZE, SIZE, generator=seeded(1)) * 2 - 1
    maps = draw_views([seeded(n) for n in range(count)], count=0, plain=True, flips=False)
    target = make_target(
        encoder,
        sources,
        maps,
        prompts=["red"] * count,
        source_prompts=[None] * count,
        weight_image=0.0,
        weight_source=0.0,
    )
    with torch.no_grad():
        source_latents = model.encode(sources)
    return EditLoss(
        way=way,
        autoencoder=model,
        encoder=encoder,
        target=target,
        sources=sources,
        source_latents=source_latents,
        masks=masks,
    )


def run(loss, prior=None, *, seeds=(0, 1), watch=lambda step, pictures: None):
    with torch.no_grad():
        generators = [seeded(seed) for seed in seeds]
        return descend(loss, prior, generators, watch=watch, on_step=lambda: None)


def half():
    masks = torch.zeros(2, 1, SIZE, SIZE)
    masks[..., : SIZE // 2] = 1
    return masks


class TestSteps:
    def test_one_is_a_share_of_the_latent_s_norm(self, tiny_diffusion):
        loss = make_loss(tiny_diffusion, dataclasses.replace(PLAIN, steps=1))
        moved = (run(loss) - loss.source_latents).flatten(1).norm(dim=1)
        whole = loss.source_latents.flatten(1).norm(dim=1)
        torch.testing.assert_close(moved, 0.1 * whole)

    def test_in_a_mask_it_is_a_share_of_what_lies_there_and_nothing_else_moves(
        self, tiny_diffusion
    ):
        loss = make_loss(tiny_diffusion, dataclasses.replace(PLAIN, steps=1), masks=half())
        moved = run(loss) - loss.source_latents
        assert (moved[..., 4:] == 0).all()
        inside = loss.source_latents[..., :4].flatten(1).norm(dim=1)
        torch.testing.assert_close(moved.flatten(1).norm(dim=1), 0.1 * inside)

    def test_unpasted_nothing_else_moves_either_but_the_autoencoder_s_picture_is_looked_at(
        self, tiny_diffusion
    ):
        loss = dataclasses.replace(make_loss(tiny_diffusion, masks=half()), paste=False)
        seen = []
        moved = run(loss, watch=lambda step, pictures: seen.append(pictures))
        assert torch.equal(moved[..., 4:], loss.source_latents[..., 4:])
        assert not torch.equal(seen[0][..., SIZE // 2 :], loss.sources[..., SIZE // 2 :])

    def test_they_make_the_loss_small(self, tiny_diffusion):
        way = dataclasses.replace(PLAIN, steps=12, schedule="cosine")
        loss = make_loss(tiny_diffusion, way)
        maps = draw_views([seeded(0)] * 2, count=0, plain=True, flips=False)
        with torch.no_grad():
            before, after = (loss(z, maps)[0] for z in (loss.source_latents, run(loss)))
        assert (after < before).all()

    def test_lengths_are_constant_or_fall_as_half_a_cosine(self):
        assert step_lengths(PLAIN) == [0.1] * 3
        cosine = step_lengths(dataclasses.replace(PLAIN, schedule="cosine", steps=2))
        assert cosine == pytest.approx([0.05 * (1 + math.cos(math.pi * x)) for x in (0.25, 0.75)])

    def test_momentum_keeps_a_share_of_the_last_direction(self, tiny_diffusion):
        one = make_loss(tiny_diffusion, dataclasses.replace(PLAIN, steps=1))
        carried = make_loss(tiny_diffusion, dataclasses.replace(PLAIN, steps=1, momentum=0.75))
        moved, slower = (run(each) - each.source_latents for each in (one, carried))
        torch.testing.assert_close(slower, 0.25 * moved)

    def test_every_step_is_watched_from_the_source_on(self, tiny_diffusion):
        seen = []
        loss = make_loss(tiny_diffusion, masks=half())
        run(loss, watch=lambda step, pictures: seen.append((step, pictures)))
        assert [step for step, _ in seen] == [0, 1, 2]
        for _, pictures in seen:
            assert torch.equal(pictures[..., SIZE // 2 :], loss.sources[..., SIZE // 2 :])

    def test_where_there_is_no_gradient_nothing_moves(self, tiny_diffusion):
        loss = make_loss(tiny_diffusion, masks=torch.zeros(2, 1, SIZE, SIZE))
        assert torch.equal(run(loss), loss.source_latents)


def test_places_are_touched_by_any_pixel():
    masks = torch.zeros(1, 1, 16, 16)
    masks[0, 0, 3, 9] = 1
    touched = touched_places(masks, torch.zeros(1, 4, 8, 8))
    assert touched.shape == (1, 1, 8, 8)
    assert touched.nonzero().tolist() == [[0, 0, 1, 4]]
    assert touched_places(None, torch.zeros(2, 4, 8, 8)).shape == (2, 1, 8, 8)


class TestPrior:
    def make(self, model, prompts, sources, **more):
        empty = model.embed_texts([""] * len(prompts))
        fields = {"scale": 3.0, "lowest": 0.1, "highest": 0.9} | more
        return DiffusionPrior(
            model=model,
            text=model.embed_texts(prompts),
            source_text=model.embed_texts(sources),
            empty_text=empty,
            **fields,
        )

    def test_where_texts_and_latents_agree_there_is_nothing_to_do(self, tiny_diffusion):
        z = latents(1)
        with torch.no_grad():
            same = self.make(tiny_diffusion, ["a", "a bus"], ["a", "a bus"])
            found = same.direction(z, z, [seeded(0), seeded(1)])
            other = self.make(tiny_diffusion, ["a", "a bus"], ["a", "a train"])
            moved = other.direction(z, z, [seeded(0), seeded(1)])
        assert found.abs().max() < 1e-5
        assert moved[0].abs().max() < 1e-5
        assert moved[1].abs().max() > 1e-3

    @pytest.mark.parametrize("scale", [1.0, 2.5])
    def test_it_is_the_difference_of_guided_noises(self, tiny_diffusion, scale):
        model, z, z_0 = tiny_diffusion, latents(1, 1), latents(2, 1)
        with torch.no_grad():
            prior = self.make(model, ["a bus"], ["a train"], scale=scale, lowest=0.5, highest=0.501)
            found = prior.direction(z, z_0, [seeded(3)])
            generator = seeded(3)
            torch.rand(1, generator=generator)
            noise = torch.randn(1, *z.shape[1:], generator=generator)
            t = torch.tensor([round(0.5 * (model.train_steps - 1))])
            alpha = model.alphas_cumprod[t].view(-1, 1, 1, 1)

            def seen(latent, text):
                noisy = alpha.sqrt() * latent + (1 - alpha).sqrt() * noise
                bare, told = (
                    model.predict_noise(noisy, t, model.embed_texts([each])) for each in ("", text)
                )
                return bare + scale * (told - bare)

            wanted = seen(z, "a bus") - seen(z_0, "a train")
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-3)

    def test_alone_it_asks_no_encoder(self, tiny_diffusion):
        way = dataclasses.replace(PLAIN, prior_share=1.0)
        loss = dataclasses.replace(make_loss(tiny_diffusion, way), encoder=JointEncoder(()))
        with torch.no_grad():
            prior = self.make(tiny_diffusion, ["a bus"] * 2, ["a train"] * 2)
        assert not torch.equal(run(loss, prior), loss.source_latents)
