"""The recipe of the inpainting network: its boxes, its channels, what of it is trained and kept."""

import json

import pytest
import torch
from safetensors.torch import load_file

from editing.inpainting.inpainter import InpaintSettings
from editing.inpainting.latent_loading import load_inpainting
from editing.parts import Parts
from stilllife.judge import load_judge
from stilllife.recipes.box_edits import draw_edits, edits_right
from stilllife.recipes.boxes import draw_boxes, thing_boxes
from stilllife.recipes.collection import Collection, collect, to_input
from stilllife.recipes.denoiser import CaptionStates, build_denoiser, build_scheduler
from stilllife.recipes.inpainter import (
    CHANNELS,
    build_inpainter,
    encode_masked,
    inpaint_loss,
    is_trained,
    save_trained,
    split_masked,
)
from stilllife.recipes.inpainter import load_inpainting as load_pipeline
from stilllife.scene import Mix
from transforms.models.files import locate
from transforms.models.spec import ModelSpec
from transforms.presets import load_preset

SETTINGS = InpaintSettings(strength=1.0, guidance_scale=3.0, num_inference_steps=8)


def shipped(folder):
    spec = ModelSpec(loader="stable_diffusion", location=f"package:stilllife/weights/{folder}")
    return locate(spec)


@pytest.fixture(scope="module")
def scenes() -> Collection:
    return collect(5, 24, Mix(0.5, held_out=False))


@pytest.fixture(scope="module")
def pipeline():
    return load_pipeline(shipped("diffusion"), shipped("inpainting"))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


class TestBoxes:
    def test_they_are_boxes_of_every_kind(self, scenes):
        regions = torch.from_numpy(scenes.regions).repeat(20, 1, 1)
        masks = draw_boxes(regions, generator())
        assert masks.shape == (480, 1, 64, 64)
        inside = masks[:, 0] > 0.5
        rows, columns = inside.any(2), inside.any(1)
        # A box is all of the rows and columns that it touches.
        assert torch.equal(inside, rows[:, :, None] & columns[:, None, :])
        assert inside.flatten(1).any(1).all()
        areas = masks.mean((1, 2, 3))
        assert areas.min() < 0.03
        assert (areas == 1).float().mean() > 0.02
        covered = (inside & (regions > 0)).flatten(1).any(1).float().mean()
        assert 0.85 < covered < 1  # some lie anywhere

    def test_a_thing_s_own_box_is_grown_on_all_sides(self):
        things = torch.zeros(2, 64, 64, dtype=torch.bool)
        things[0, 10:20, 30:31] = True
        things[1, 0:3, 60:64] = True
        masks = thing_boxes(things, margin=4)
        wanted = torch.zeros(2, 1, 64, 64)
        wanted[0, 0, 6:24, 26:35] = 1
        wanted[1, 0, 0:7, 56:64] = 1
        assert torch.equal(masks, wanted)


class TestTraining:
    def test_untrained_it_paints_as_the_denoiser(self):
        torch.manual_seed(0)
        denoiser = build_denoiser(16).eval()
        inpainter = build_inpainter(denoiser).eval()
        z, beside = torch.randn(2, 4, 16, 16), torch.randn(2, 5, 16, 16)
        steps, text = torch.tensor([3, 900]), torch.randn(2, 7, 16)
        with torch.no_grad():
            wanted = denoiser(z, steps, encoder_hidden_states=text).sample
            found = inpainter(torch.cat([z, beside], 1), steps, encoder_hidden_states=text).sample
        torch.testing.assert_close(found, wanted)

    def test_what_is_trained_is_what_is_kept(self, tmp_path):
        torch.manual_seed(0)
        inpainter = build_inpainter(build_denoiser(96))
        index = tmp_path / "model_index.json"
        index.write_text(json.dumps({"_class_name": "StableDiffusionPipeline", "unet": []}))
        save_trained(inpainter, index, tmp_path / "made")
        kept = load_file(tmp_path / "made/unet/diffusion_pytorch_model.safetensors")
        trained = {n for n, p in inpainter.named_parameters() if p.requires_grad}
        assert kept.keys() == trained
        assert {value.dtype for value in kept.values()} == {torch.float16}
        assert kept["conv_in.weight"].shape == (64, CHANNELS, 3, 3)
        assert sum(value.numel() for value in kept.values()) < 1e6
        made = json.loads((tmp_path / "made/model_index.json").read_text())
        assert made["_class_name"] == "StableDiffusionInpaintPipeline"

    def test_names_that_begin_alike_are_not_trained(self):
        matrix = torch.zeros(2, 2)
        assert is_trained("down_blocks.0.resnets.0.conv1.weight", matrix)
        assert is_trained("mid_block.resnets.0.norm1.weight", torch.zeros(2))
        assert not is_trained("down_blocks.2.resnets.0.conv1.weight", matrix)
        assert not is_trained("up_blocks.1.attentions.0.transformer_blocks.0.attn2.to_q.w", matrix)
        assert not is_trained("conv_in_other.weight", matrix)

    def test_masked_latents_are_those_of_grey_boxes(self, scenes, pipeline):
        some = scenes.first(4)
        latents = split_masked(encode_masked(pipeline.vae, some, seed=3))
        masks = draw_boxes(torch.from_numpy(some.regions), generator(3))
        pictures = to_input(some.pixels)
        with torch.no_grad():
            wanted = pipeline.vae.encode(pictures * (1 - masks)).latent_dist.mode()
        wanted = wanted * pipeline.vae.config.scaling_factor
        torch.testing.assert_close(latents.masked.float(), wanted, atol=5e-3, rtol=1e-2)
        assert torch.equal(latents.masks.float(), masks[..., ::4, ::4])

    def test_the_loss_reaches_the_new_channels_and_no_frozen_tensor(self, scenes, pipeline):
        captions = CaptionStates(scenes.captions(), pipeline.text_encoder, pipeline.tokenizer)
        latents = split_masked(encode_masked(pipeline.vae, scenes, seed=3))
        torch.manual_seed(0)
        inpainter = build_inpainter(build_denoiser(96))
        loss = inpaint_loss(inpainter, build_scheduler(), latents, captions, 2, generator())
        assert set(loss) == {"v"}
        loss["v"].backward()
        assert inpainter.conv_in.weight.grad[:, 4:].abs().sum() > 0
        assert inpainter.mid_block.resnets[0].conv1.weight.grad is None


class TestShipped:
    def test_the_tensors_are_small(self):
        files = list(shipped("inpainting").rglob("*"))
        assert sum(file.stat().st_size for file in files if file.is_file()) < 2.0e6

    def test_edits_come_out_right_in_boxes_around_things(self):
        inpainter = Parts(preset=load_preset("stilllife")).load("inpainting")
        edits = draw_edits(collect(4001, 9, Mix(0.0, held_out=True)), seed=2)
        made = inpainter.inpaint(
            edits.pictures,
            edits.boxes,
            list(edits.prompts),
            [generator(seed) for seed in range(9)],
            settings=inpainter.defaults,
        )
        outside = 1 - edits.boxes
        assert torch.equal(made * outside, edits.pictures * outside)
        assert edits_right(load_judge(), made, edits)["all"] >= 7 / 9

    def test_diffusers_paints_the_same_from_the_same_noise(self, pipeline, tmp_path):
        from diffusers import StableDiffusionInpaintPipeline

        base = (("base", "package:stilllife/weights/diffusion"),)
        location = "package:stilllife/weights/inpainting"
        ours = load_inpainting(ModelSpec(loader="x", location=location, options=base))
        ours.save(tmp_path)
        theirs = StableDiffusionInpaintPipeline.from_pretrained(tmp_path, safety_checker=None)
        theirs.set_progress_bar_config(disable=True)
        scenes = collect(4002, 2, Mix(0.0, held_out=False))
        pictures = to_input(scenes.pixels)
        masks = thing_boxes(torch.from_numpy(scenes.regions == 1), margin=5)
        noise = torch.cat([torch.randn(1, 4, 16, 16, generator=generator(s)) for s in (1, 2)])
        prompts = scenes.captions()
        wanted = theirs(
            prompts,
            image=(pictures + 1) / 2,
            mask_image=masks,
            # Else theirs would be drawn from the posterior, and differ by that.
            masked_image_latents=ours.model.encode(pictures * (1 - masks)),
            latents=noise,
            height=64,
            width=64,
            strength=1.0,
            guidance_scale=SETTINGS.guidance_scale,
            num_inference_steps=SETTINGS.num_inference_steps,
            output_type="pt",
        ).images
        generators = [generator(1), generator(2)]
        found = ours.inpaint(pictures, masks, prompts, generators, settings=SETTINGS)
        inside = masks.expand_as(found) > 0.5
        torch.testing.assert_close(
            found[inside], (wanted * 2 - 1)[inside].float(), atol=1e-3, rtol=0
        )
