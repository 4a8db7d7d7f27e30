"""The recipes of the masked-token model, on a few pictures: what they restart, hide and change."""

import math
import shutil
from argparse import Namespace

import pytest
import torch
from fakes.recipes import build_text_encoder

from editing.inpainting.masked_token import load_masked_token
from stilllife.edits import changed_attributes
from stilllife.judge import load_judge
from stilllife.recipes.box_edits import KINDS, draw_edits, edits_right
from stilllife.recipes.collection import Collection, collect, to_input
from stilllife.recipes.quantiser import (
    CODES,
    PATIENCE,
    QuantiserInTraining,
    build_quantiser,
    codes_of,
    encode_all,
    pictures_of,
    quantiser_loss,
    round_trip,
)
from stilllife.recipes.token_networks import make_quantiser, make_token_painter
from stilllife.recipes.token_painter import (
    NEARNESS,
    TokenCaptions,
    build_token_painter,
    draw_boxes,
    draw_hidden,
    near_codes,
    painter_loss,
)
from stilllife.recipes.token_painting import TokenBrush
from stilllife.recipes.tokenizers import clip_tokenizer
from stilllife.recipes.training import Schedule, train
from stilllife.recipes.workshop import Workshop
from stilllife.scene import Mix
from transforms.models.spec import ModelSpec
from transforms.package_data import find_package_data


@pytest.fixture(scope="module")
def scenes() -> Collection:
    return collect(5, 12, Mix(0.5, held_out=False))


@pytest.fixture(scope="module")
def quantiser():
    torch.manual_seed(0)
    return build_quantiser().eval()


@pytest.fixture(scope="module")
def text_encoder():
    return build_text_encoder(layers=2)


@pytest.fixture(scope="module")
def captions(scenes, text_encoder):
    return TokenCaptions(scenes.captions(), text_encoder, clip_tokenizer())


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def fall(name, model, loss_of, steps):
    """The first and the last loss of a short training."""
    found = []

    def kept(draws, step):
        losses = loss_of(draws, step)
        found.append(sum(value.item() for value in losses.values()))
        return losses

    train(
        name,
        model,
        kept,
        Schedule(steps=steps, batch_size=2, learning_rate=2e-3, seed=1, warmup_steps=2),
    )
    return sum(found[:3]), sum(found[-3:])


class TestQuantiser:
    def test_idle_codes_are_put_where_something_is(self, scenes):
        torch.manual_seed(0)
        training = QuantiserInTraining(build_quantiser(), steps=10)
        before = training.quantiser.quantize.embedding.weight.clone()
        latents = torch.randn(2, 8, 4, 4, generator=generator())
        training.restart(latents, generator())
        after = training.quantiser.quantize.embedding.weight
        moved = (before != after).any(1)
        assert moved.sum() >= CODES - 32
        vectors = latents.permute(0, 2, 3, 1).reshape(-1, 8)
        assert (after[moved][:, None] == vectors).all(-1).any(1).all()

    def test_codes_that_were_closest_lately_stay_and_late_in_training_all_do(self):
        torch.manual_seed(0)
        training = QuantiserInTraining(build_quantiser(), steps=10)
        training.idle.fill_(0)
        latents = torch.randn(2, 8, 4, 4, generator=generator())
        before = training.quantiser.quantize.embedding.weight.clone()
        training.restart(latents, generator())
        assert torch.equal(training.quantiser.quantize.embedding.weight, before)
        training.idle.fill_(PATIENCE)
        training.taken.fill_(6)
        training.restart(latents, generator())
        assert torch.equal(training.quantiser.quantize.embedding.weight, before)

    def test_it_learns(self, scenes):
        torch.manual_seed(0)
        training = QuantiserInTraining(build_quantiser(), steps=12)
        first, last = fall(
            "quantiser",
            training,
            lambda draws, _: quantiser_loss(training, scenes, 2, draws),
            12,
        )
        assert last < first

    def test_codes_and_back(self, scenes, quantiser):
        codes = encode_all(quantiser, scenes)
        assert codes.shape == (12, 16, 16)
        assert torch.equal(codes[:2].long(), codes_of(quantiser, to_input(scenes.pixels[:2])))
        made = pictures_of(quantiser, codes[:2].long())
        assert made.shape == (2, 3, 64, 64)
        assert made.abs().max() <= 1

    def test_what_a_round_trip_is_worth(self, scenes, quantiser):
        found = round_trip(quantiser, scenes)
        assert set(found) == {"psnr", "psnr_things", "codes_used", "perplexity"}
        assert 1 <= found["perplexity"] <= found["codes_used"] <= CODES


class TestPainter:
    def test_boxes_are_clipped_squares_about_things(self):
        things = torch.zeros(400, 16, 16)
        things[:, 6, 1] = 1
        boxes = draw_boxes(things, generator())
        rows, columns = boxes.any(2).sum(1), boxes.any(1).sum(1)
        assert torch.equal(boxes, boxes.any(2)[:, :, None] & boxes.any(1)[:, None, :])
        assert min(rows.min(), columns.min()) >= 1
        assert max(rows.max(), columns.max()) == 16
        assert 0.5 < boxes[:, 6, 1].float().mean() < 1

    def test_a_share_of_the_box_is_hidden_and_at_least_one_code(self):
        hidden = draw_hidden(torch.zeros(400, 16, 16), generator())
        counts = hidden.flatten(1).sum(1)
        assert counts.min() >= 1
        assert (counts == 256).any()
        assert 0.2 < hidden.float().mean() < 0.6

    def test_codes_that_are_close_share_what_is_to_be_told(self):
        near = near_codes(torch.tensor([[0.0, 0.0], [0.0, NEARNESS**0.5], [9.0, 0.0]]))
        itself = 1 / (1 + math.exp(-1))
        assert near[0].tolist() == pytest.approx([itself, 1 - itself, 0], abs=1e-6)
        assert near[2].tolist() == pytest.approx([0, 0, 1], abs=1e-6)

    def test_it_learns(self, scenes, captions):
        torch.manual_seed(0)
        painter = build_token_painter(16)
        codes = torch.randint(0, 5, (12, 16, 16), generator=generator())
        near = near_codes(3 * torch.randn(CODES, 8, generator=generator()))
        first, last = fall(
            "painter",
            painter,
            lambda draws, _: painter_loss(painter, codes, near, (scenes, captions), 2, draws),
            12,
        )
        assert last < first

    def test_texts_are_read_once_and_found_by_picture(self, scenes, captions):
        assert len(captions.states) == len(captions.pooled) == len(set(scenes.captions())) + 1
        assert captions.rows.min() == 1  # 0 is the empty text
        assert captions.states.shape[1:] == (32, 16)

    def test_the_brush_paints_and_edits_in_boxes_alone(self, quantiser, text_encoder):
        scenes = collect(6, 3, Mix(0.0, held_out=False))
        torch.manual_seed(0)
        painter = build_token_painter(16).eval()
        brush = TokenBrush(quantiser, painter, text_encoder, clip_tokenizer())
        assert brush.paint(scenes.captions(), guidance_scale=2.0, seed=0).shape == (3, 3, 64, 64)
        edits = draw_edits(scenes, seed=0)
        made = brush.edit(edits, guidance_scale=2.0, seed=0)
        outside = (edits.boxes == 0).expand_as(made)
        assert torch.equal(made[outside], edits.pictures[outside])
        assert torch.equal(made, brush.edit(edits, guidance_scale=2.0, seed=0))


class TestBoxEdits:
    def test_each_changes_one_attribute_in_its_turn(self):
        edits = draw_edits(collect(7, 6, Mix(0.0)), seed=0)
        assert edits.kinds == (*KINDS, *KINDS)
        for scene, prompt, kind in zip(edits.scenes, edits.prompts, edits.kinds, strict=True):
            assert set(changed_attributes(scene, prompt)) == {f"first.{kind}"}
        inside = edits.boxes.bool() | ~edits.things.bool()
        assert inside.all()
        assert edits.prompts == draw_edits(collect(7, 6, Mix(0.0)), seed=0).prompts
        assert edits.prompts != draw_edits(collect(7, 6, Mix(0.0)), seed=1).prompts

    def test_a_margin_is_how_far_boxes_reach(self):
        scenes = collect(7, 6, Mix(0.0))
        near, far = (draw_edits(scenes, seed=0, margin=margin).boxes for margin in (0, 3))
        sides = [[boxes.amax(axis).sum((1, 2)) for axis in (2, 3)] for boxes in (near, far)]
        grown = torch.stack(sides[1]) - torch.stack(sides[0])
        assert ((grown > 0) & (grown <= 6)).all()
        assert (grown == 6).any()

    def test_an_edit_is_right_where_all_attributes_are(self):
        edits = draw_edits(collect(6, 3, Mix(0.0, held_out=True)), seed=0)

        class Reader:
            """Reads the first as asked, the second as it was, the third beside another wall."""

            def read(self, pictures):
                sources = [scene.attributes() for scene in edits.scenes]
                wanted = [
                    source | changed_attributes(scene, prompt)
                    for source, scene, prompt in zip(
                        sources, edits.scenes, edits.prompts, strict=True
                    )
                ]
                return [wanted[0], sources[1], wanted[2] | {"background": "none"}]

        found = edits_right(Reader(), edits.pictures, edits)
        assert found == {
            **{"colour": 1, "noun": 0, "size": 0, "all": pytest.approx(1 / 3)},
            **{"edited": pytest.approx(2 / 3), "kept": pytest.approx(2 / 3), "error_outside": 0},
        }

    def test_what_is_as_it_was_is_kept_and_not_edited(self):
        edits = draw_edits(collect(7, 6, Mix(0.0)), seed=0)
        found = edits_right(load_judge(), edits.pictures, edits)
        assert (found["all"], found["edited"], found["error_outside"]) == (0, 0, 0)
        assert found["kept"] >= 5 / 6
        brighter = edits_right(load_judge(), edits.pictures + 0.2, edits)
        assert brighter["error_outside"] == pytest.approx(0.1, abs=1e-4)


def test_what_the_recipes_write_is_a_folder_that_inpaints(tmp_path):
    weights = tmp_path / "weights"
    reader = find_package_data("stilllife", "weights/diffusion/text_encoder")
    shutil.copytree(reader, weights / "diffusion" / "text_encoder")
    settings = {"runs": tmp_path, "weights": weights, "measure": "test", "workers": 1}
    shop = Workshop(Namespace(**settings, pictures=4, scale=1e-4, bfloat16=False, threads=1))
    make_quantiser(shop)
    make_token_painter(shop)
    spec = ModelSpec(
        loader="amused",
        location=str(weights / "masked_token"),
        options=(("base", "package:stilllife/weights/diffusion"),),
    )
    inpainter = load_masked_token(spec)
    assert (inpainter.picture_size, inpainter.size_multiple) == (64, 8)
