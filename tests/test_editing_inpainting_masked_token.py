"""What an inpainter promises, of a very small random masked-token model."""

import pytest
import torch
from fakes.masked_token import SIZE, load_tiny_inpainter, save_masked_token

from editing.diffusion.model import PromptLengthError
from editing.errors import NotFiniteError
from editing.inpainting.inpainter import Inpainter, InpaintSettings
from editing.inpainting.masked_token import MaskedTokenInpainter
from editing.inpainting.token_decoding import Chance

PROMPTS = ("a red apple", "a small bus", "the blue pear")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_masked_token(tmp_path_factory.mktemp("masked_token"))


@pytest.fixture(scope="module")
def inpainter(folder, editing_world) -> MaskedTokenInpainter:
    return load_tiny_inpainter(folder, editing_world / "model")


def pictures(count=3, height=SIZE, width=SIZE):
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1


def boxes(count=3, height=SIZE, width=SIZE):
    masks = torch.zeros(count, 1, height, width)
    masks[:, :, 3:12, 5:13] = 1
    return masks


def paint(inpainter, sources=None, masks=None, prompts=PROMPTS, seeds=(0, 1, 2), **settings):
    sources = pictures() if sources is None else sources
    on_step = settings.pop("on_step", lambda: None)
    return inpainter.inpaint(
        sources,
        boxes() if masks is None else masks,
        prompts,
        [torch.Generator().manual_seed(seed) for seed in seeds],
        settings=InpaintSettings(**{"num_inference_steps": 4, "guidance_scale": 3.0} | settings),
        on_step=on_step,
    )


def test_it_is_an_inpainter_and_says_what_it_takes(inpainter):
    assert isinstance(inpainter, Inpainter)
    assert (inpainter.picture_size, inpainter.size_multiple) == (SIZE, 2)
    # aMUSEd's own way, where a preset says no other.
    assert inpainter.defaults == InpaintSettings(guidance_scale=10.0, num_inference_steps=12)
    assert inpainter.chance == Chance(order=2.0, codes=1.0)


def test_a_model_that_halves_its_codes_takes_multiples_of_two_cells(editing_world, tmp_path):
    halving = load_tiny_inpainter(
        save_masked_token(tmp_path, downsample=True), editing_world / "model"
    )
    assert halving.size_multiple == 4
    assert paint(halving).shape == (3, 3, SIZE, SIZE)
    odd = pictures(height=SIZE + 2)
    with pytest.raises(ValueError, match="multiples of 4"):
        paint(halving, odd, boxes(height=SIZE + 2))


def test_outside_of_the_mask_a_picture_comes_back_to_the_bit(inpainter):
    made, inside = paint(inpainter), boxes().bool().expand(-1, 3, -1, -1)
    assert torch.equal(made[~inside], pictures()[~inside])
    assert not torch.equal(made[inside], pictures()[inside])
    assert made.dtype == torch.float32
    assert made.abs().max() <= 1


def test_the_same_seed_gives_the_same_picture_and_another_another(inpainter):
    assert torch.equal(paint(inpainter), paint(inpainter))
    assert not torch.equal(paint(inpainter), paint(inpainter, seeds=(3, 4, 5)))


def test_a_row_does_not_depend_on_those_beside_it(inpainter):
    together = paint(inpainter)
    for row in range(3):
        alone = paint(
            inpainter,
            pictures()[row : row + 1],
            boxes(1),
            PROMPTS[row : row + 1],
            seeds=(row,),
        )
        torch.testing.assert_close(alone[0], together[row], atol=1e-5, rtol=0)


def test_a_row_whose_mask_is_empty_is_the_picture_and_leaves_the_others_alone(inpainter):
    masks = boxes()
    masks[1] = 0
    made, others = paint(inpainter, masks=masks), paint(inpainter)
    assert torch.equal(made[1], pictures()[1])
    torch.testing.assert_close(made[[0, 2]], others[[0, 2]], atol=1e-5, rtol=0)
    steps = []
    nothing = paint(inpainter, masks=0 * masks, on_step=lambda: steps.append(1))
    assert torch.equal(nothing, pictures())
    assert len(steps) == 4


def test_all_of_a_picture_can_be_painted_and_then_the_source_counts_for_nothing(inpainter):
    everything = torch.ones_like(boxes())
    made = paint(inpainter, masks=everything)
    assert torch.equal(made, paint(inpainter, -pictures(), everything))


def test_the_prompt_counts_more_with_guidance(inpainter):
    everything = torch.ones_like(boxes())
    other = ("the pear", "a train", "a bus on")
    assert torch.equal(
        paint(inpainter, masks=everything, guidance_scale=0.0),
        paint(inpainter, masks=everything, prompts=other, guidance_scale=0.0),
    )
    assert not torch.equal(
        paint(inpainter, masks=everything, guidance_scale=8.0),
        paint(inpainter, masks=everything, prompts=other, guidance_scale=8.0),
    )


def test_less_strength_takes_fewer_steps(inpainter):
    def made(strength):
        steps = []
        found = paint(
            inpainter,
            masks=torch.ones_like(boxes()),
            strength=strength,
            num_inference_steps=10,
            on_step=lambda: steps.append(1),
        )
        return found, len(steps)

    (little, few), (half, some), (whole, all_of_them) = map(made, (0.1, 0.5, 1.0))
    assert (few, some, all_of_them) == (1, 5, 10)
    assert not torch.equal(little, half)
    assert not torch.equal(half, whole)


@pytest.mark.parametrize("steps", [1, 200])
def test_one_step_will_do_and_so_will_more_than_there_are_codes(inpainter, steps):
    made = paint(inpainter, num_inference_steps=steps)
    inside = boxes().bool().expand(-1, 3, -1, -1)
    assert torch.equal(made[~inside], pictures()[~inside])


def test_pictures_need_not_be_square(inpainter):
    made = paint(inpainter, pictures(height=12, width=26), boxes(height=12, width=26))
    assert made.shape == (3, 3, 12, 26)


def test_no_gradients_pass(inpainter):
    assert not paint(inpainter, pictures().requires_grad_()).requires_grad


def test_a_prompt_that_would_be_cut_is_refused(inpainter):
    inpainter.check_prompt("a red apple")
    with pytest.raises(PromptLengthError, match="must have at most 12 tokens, got 14"):
        inpainter.check_prompt("a a a a a a a a a a a a")
    with pytest.raises(PromptLengthError, match="got 14"):
        paint(inpainter, prompts=("a", "a a a a a a a a a a a a", "a"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompts": PROMPTS[:1]}, "there must be 3 prompts"),
        ({"seeds": (0,)}, "there must be 3 generators"),
        ({"masks": boxes() / 2}, "masks must hold 0 and 1"),
        ({"sources": pictures(width=15), "masks": boxes(width=15)}, "multiples of 2"),
    ],
)
def test_what_does_not_fit_is_refused(inpainter, change, message):
    with pytest.raises(ValueError, match=message):
        paint(inpainter, **change)


def test_pictures_that_are_no_numbers_are_named(inpainter):
    broken = pictures()
    broken[1, 0, 0, 0] = torch.nan
    with pytest.raises(NotFiniteError) as caught:
        paint(inpainter, broken)
    assert caught.value.places == (1,)


def test_networks_that_give_no_numbers_are_told_of(folder, editing_world):
    broken = load_tiny_inpainter(folder, editing_world / "model")
    with torch.no_grad():
        broken.model.transformer.mlm_layer.conv2.weight.fill_(torch.inf)
    with pytest.raises(NotFiniteError, match="at step 1") as caught:
        paint(broken)
    assert caught.value.places == (0, 1, 2)
    mended = load_tiny_inpainter(folder, editing_world / "model")
    with torch.no_grad():
        mended.model.quantiser.decoder.conv_out.bias.fill_(torch.nan)
    with pytest.raises(NotFiniteError, match="in the painted picture"):
        paint(mended)
