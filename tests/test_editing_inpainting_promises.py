"""What every inpainter by a latent diffusion model promises, on very small random networks."""

import pytest
import torch
from fakes.diffusion import SIZE, save_diffusion

from editing.diffusion.model import PromptLengthError
from editing.errors import NotFiniteError, SettingError
from editing.inpainting.inpainter import Inpainter, InpaintSettings
from editing.inpainting.latent_loading import load_inpainting
from editing.inpainting.masked_sdedit import load_masked_sdedit
from editing.inpainting.pasting import check_batch
from transforms.models.spec import ModelSpec

SETTINGS = InpaintSettings(strength=0.8, guidance_scale=3.0, num_inference_steps=5)
WHOLE = InpaintSettings(strength=1.0, guidance_scale=1.0, num_inference_steps=3)
PROMPT = "a red bus"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The folder of a diffusion model for each backend."""
    return {
        "inpaint": save_diffusion(tmp_path_factory.mktemp("inpaint"), in_channels=9),
        "sdedit": save_diffusion(tmp_path_factory.mktemp("sdedit")),
    }


def load(folders, backend):
    loader = {"inpaint": load_inpainting, "sdedit": load_masked_sdedit}[backend]
    return loader(ModelSpec(loader=backend, location=str(folders[backend])))


@pytest.fixture(params=["inpaint", "sdedit"])
def inpainter(request, folders):
    return load(folders, request.param)


def pictures(count=2, size=(SIZE, SIZE), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, *size, generator=generator) * 2 - 1


def boxes(count=2, size=(SIZE, SIZE)):
    """The right lower quarter of each picture."""
    masks = torch.zeros(count, 1, *size)
    masks[..., size[0] // 2 :, size[1] // 2 :] = 1
    return masks


def paint(inpainter, some=None, masks=None, prompts=None, *, seeds=None, settings=SETTINGS, **more):
    some = pictures() if some is None else some
    masks = boxes(len(some), some.shape[-2:]) if masks is None else masks
    prompts = [PROMPT] * len(some) if prompts is None else prompts
    seeds = range(len(some)) if seeds is None else seeds
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return inpainter.inpaint(some, masks, prompts, generators, settings=settings, **more)


class TestPromises:
    def test_it_is_an_inpainter(self, inpainter):
        assert isinstance(inpainter, Inpainter)
        assert inpainter.picture_size == SIZE
        assert inpainter.size_multiple == 4

    @pytest.mark.parametrize("settings", [SETTINGS, WHOLE])
    def test_outside_of_the_mask_not_a_bit_changes(self, inpainter, settings):
        some, masks = pictures(), boxes()
        made = paint(inpainter, some, masks, settings=settings)
        outside = masks.expand_as(some) == 0
        assert torch.equal(made[outside], some[outside])
        assert not torch.isclose(made[~outside], some[~outside]).any(dim=0).all()
        assert made.dtype == torch.float32
        assert made.abs().max() <= 1

    def test_what_it_is_given_stays_as_it_was(self, inpainter):
        some, masks = pictures(), boxes()
        before = some.clone()
        paint(inpainter, some, masks)
        assert torch.equal(some, before)
        assert torch.equal(masks, boxes())

    def test_a_row_does_not_depend_on_those_beside_it(self, inpainter):
        some, prompts = pictures(3), [PROMPT, "a green pear", "a train"]
        together = paint(inpainter, some, prompts=prompts, seeds=[5, 6, 7])
        alone = paint(inpainter, some[1:2], prompts=prompts[1:2], seeds=[6])
        torch.testing.assert_close(together[1:2], alone, atol=1e-5, rtol=0)

    def test_the_same_seed_is_the_same_picture_and_another_is_another(self, inpainter):
        first, same, other = (paint(inpainter, seeds=seeds) for seeds in ([1, 2], [1, 2], [3, 2]))
        assert torch.equal(first, same)
        assert not torch.equal(first[0], other[0])
        torch.testing.assert_close(first[1], other[1], atol=1e-5, rtol=0)

    def test_one_picture_many_times_in_memory_once(self, inpainter):
        one = pictures(1)[0]
        made = paint(inpainter, one.expand(2, -1, -1, -1), seeds=[4, 4])
        torch.testing.assert_close(made[0], made[1])

    def test_an_empty_mask_gives_the_picture_back(self, inpainter):
        some = pictures()
        assert torch.equal(paint(inpainter, some, torch.zeros(2, 1, SIZE, SIZE)), some)

    def test_a_full_mask_leaves_nothing(self, inpainter):
        some = pictures()
        made = paint(inpainter, some, torch.ones(2, 1, SIZE, SIZE), settings=WHOLE)
        assert torch.isfinite(made).all()
        assert not torch.isclose(made, some).all(1).any()

    def test_a_mask_of_one_pixel_changes_no_other(self, inpainter):
        some, masks = pictures(), torch.zeros(2, 1, SIZE, SIZE)
        masks[..., 5, 5] = 1
        made = paint(inpainter, some, masks)
        assert torch.equal(made * (1 - masks), some * (1 - masks))

    def test_the_prompt_matters(self, inpainter):
        assert not torch.equal(
            paint(inpainter, prompts=["a red bus", "a red bus"]),
            paint(inpainter, prompts=["a green pear", "a green pear"]),
        )

    @pytest.mark.parametrize(("strength", "steps"), [(0.01, 1), (0.5, 5), (0.99, 9), (1.0, 10)])
    def test_strength_is_the_share_of_the_steps(self, inpainter, strength, steps):
        made = []
        settings = InpaintSettings(strength=strength, guidance_scale=1, num_inference_steps=10)
        paint(inpainter, settings=settings, on_step=lambda: made.append(1))
        assert len(made) == steps

    def test_little_strength_leaves_more_of_the_source(self, inpainter):
        some, masks = pictures(), torch.ones(2, 1, SIZE, SIZE)
        trip = inpainter.model.decode(inpainter.model.encode(some)).clamp(-1, 1)
        errors = [
            (
                paint(
                    inpainter,
                    some,
                    masks,
                    settings=InpaintSettings(
                        strength=strength, guidance_scale=1, num_inference_steps=20
                    ),
                )
                - trip
            )
            .abs()
            .mean()
            for strength in (0.05, 1.0)
        ]
        assert errors[0] < errors[1]

    def test_sides_that_differ(self, inpainter):
        some = pictures(1, size=(SIZE, 2 * SIZE))
        assert paint(inpainter, some).shape == some.shape

    def test_texts_are_embedded_once_for_each_prompt(self, inpainter, monkeypatch):
        asked = []
        embed = type(inpainter.model).embed_texts

        def counting(model, prompts):
            asked.append(list(prompts))
            return embed(model, prompts)

        monkeypatch.setattr(type(inpainter.model), "embed_texts", counting)
        paint(inpainter, pictures(3), prompts=["a bus", "a pear", "a bus"])
        assert asked == [["a bus", "a pear"], [""]]

    def test_what_comes_back_can_be_trained_through(self, inpainter):
        """As a constant: no gradients pass through the networks."""
        weight = torch.ones(2, 1, 1, 1, requires_grad=True)
        made = paint(inpainter)
        assert not made.requires_grad
        ((weight * made) ** 2).sum().backward()
        assert weight.grad.abs().sum() > 0


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "line"),
        [
            ({"prompts": [PROMPT]}, "there must be 2 prompts, one a picture, got 1"),
            ({"seeds": [1]}, "there must be 2 generators, one a picture, got 1"),
            ({"masks": boxes() * 255}, "masks must hold 0 and 1 alone"),
            ({"masks": boxes() * 0.5}, "masks must hold 0 and 1 alone"),
            ({"masks": boxes() * float("nan")}, "masks must hold 0 and 1 alone"),
            ({"some": pictures(size=(SIZE, 18))}, "multiples of 4, got 2 of 18 x 16"),
            ({"some": pictures(0)}, "there must be pictures"),
        ],
    )
    def test_what_does_not_fit_is_named(self, inpainter, change, line):
        with pytest.raises(ValueError, match=line):
            paint(inpainter, **change)

    @pytest.mark.parametrize(
        ("masks", "line"),
        [
            (boxes(3), "there must be 2 masks, one a picture, got 3"),
            (boxes(2, (8, SIZE)), "the pictures' size, 16 x 16, got 16 x 8"),
        ],
    )
    def test_masks_of_other_pictures(self, masks, line):
        """Where types are not checked, as outside of tests."""
        generators = [torch.Generator()] * 2
        with pytest.raises(ValueError, match=line):
            check_batch(pictures(), masks, [PROMPT] * 2, generators, multiple=4)

    def test_more_steps_than_noise_levels(self, inpainter):
        settings = InpaintSettings(num_inference_steps=1001)
        with pytest.raises(SettingError, match="must be at most 1000, got 1001"):
            paint(inpainter, settings=settings)

    def test_a_prompt_that_is_too_long(self, inpainter):
        long = "a red bus " * 9
        with pytest.raises(PromptLengthError, match="at most 12 tokens, got 29"):
            inpainter.check_prompt(long)
        with pytest.raises(PromptLengthError):
            paint(inpainter, prompts=[PROMPT, long])
        inpainter.check_prompt(PROMPT)

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_a_picture_that_is_no_numbers_is_named(self, inpainter, value):
        some = pictures(3)
        some[1, 0, 0, 0] = value
        with pytest.raises(NotFiniteError) as caught:
            paint(inpainter, some)
        assert caught.value.places == (1,)

    def test_a_network_that_gives_no_numbers_is_told_with_its_rows(self, folders):
        for backend in folders:
            broken = load(folders, backend)
            broken.model.unet.conv_out.bias.fill_(float("nan"))
            with pytest.raises(NotFiniteError) as caught:
                paint(broken)
            assert caught.value.places == (0, 1)

    def test_too_much_guidance_is_no_black_picture(self, inpainter):
        settings = InpaintSettings(guidance_scale=1e38, num_inference_steps=5)
        with pytest.raises(NotFiniteError):
            paint(inpainter, settings=settings)


def test_at_strength_1_nothing_inside_the_mask_is_seen(folders):
    inpainter = load(folders, "inpaint")
    some, masks = pictures(), boxes()
    other = torch.where(masks > 0.5, -some, some)
    assert torch.equal(
        paint(inpainter, some, masks, settings=WHOLE),
        paint(inpainter, other, masks, settings=WHOLE),
    )


def test_the_picture_around_the_mask_is_seen(folders):
    inpainter = load(folders, "inpaint")
    some, masks = pictures(), boxes()
    other = torch.where(masks > 0.5, some, -some)
    inside = masks.expand_as(some) > 0.5
    first, second = (paint(inpainter, x, masks, settings=WHOLE) for x in (some, other))
    assert not torch.isclose(first[inside], second[inside]).all()
