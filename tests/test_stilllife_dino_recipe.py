"""The recipe of DINO: what its crops share, how the teacher follows, how anchors are judged."""

import pytest
import torch

from editing.features.backbone_loaders import load_backbone
from stilllife.recipes.anchors import (
    anchor_shares,
    median_distance,
    most_shares,
    things_on_grid,
)
from stilllife.recipes.collection import Collection, collect, to_input
from stilllife.recipes.crops import Views, strangeness
from stilllife.recipes.dino import FIRST_MOMENTUM, Dino, cls_attention, dino_loss, save_teacher
from stilllife.scene import Mix
from transforms.models.spec import ModelSpec


@pytest.fixture(scope="module")
def scenes() -> Collection:
    return collect(11, 24, Mix(0.0, held_out=False))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


class TestCrops:
    def test_what_is_unlike_the_border_is_the_thing(self, scenes):
        """By the pictures alone; the truth judges here, and is not looked at in training."""
        strange = strangeness(to_input(scenes.pixels))[:, 0]
        things = torch.from_numpy(scenes.regions > 0)
        assert strange.min() >= 0
        assert strange.max() <= 1
        assert strange[things].mean() > 0.75
        assert strange[~things].mean() < 0.1

    def test_each_crop_is_another(self, scenes):
        views = Views(to_input(scenes.pixels), generator(), repainted=0.9)
        first, second = views.crop(64, (0.7, 1.0)), views.crop(64, (0.7, 1.0))
        assert first.shape == (24, 3, 64, 64)
        assert views.crop(32, (0.3, 0.5)).shape == (24, 3, 32, 32)
        assert first.abs().max() <= 1
        assert ((first - second).abs().mean((1, 2, 3)) > 0.02).all()

    def test_the_same_generator_gives_the_same_crops(self, scenes):
        crops = [
            Views(to_input(scenes.pixels), generator(3), repainted=0.9).crop(32, (0.3, 0.5))
            for _ in range(2)
        ]
        assert torch.equal(*crops)

    def test_backgrounds_disagree_and_most_crops_show_the_thing(self):
        """A red square on grey: in crops its place is far from all else, which differs."""
        picture = torch.zeros(1, 3, 64, 64)
        picture[:, :, 24:40, 24:40] = torch.tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1)
        views = Views(picture.expand(40, -1, -1, -1), generator(1), repainted=1.0)
        crops = views.crop(32, (0.4, 0.6))
        reddish = (crops[:, 0] - crops[:, 2]).flatten(1).max(1).values > 0.4
        assert reddish.float().mean() > 0.5
        corners = crops[:, :, :4, :4].mean((2, 3))
        assert corners.std(0).mean() > 0.2


class TestTeacher:
    def test_it_starts_as_the_student_and_follows(self):
        torch.manual_seed(0)
        dino = Dino(10)
        dino.follow()
        with torch.no_grad():
            for parameter in dino.student.parameters():
                parameter.add_(1)
        before = [p.clone() for p in dino.teacher.parameters()]
        dino.follow()
        climbed = (1 - FIRST_MOMENTUM) * 0.9755  # of the way, at the first of ten steps
        for old, new in zip(before, dino.teacher.parameters(), strict=True):
            torch.testing.assert_close(new - old, torch.full_like(new, climbed), atol=1e-4, rtol=0)
        assert dino.taken == 2

    def test_what_it_says_is_centred(self, scenes):
        torch.manual_seed(0)
        dino = Dino(10)
        crops = to_input(scenes.pixels)
        said = dino.teach(crops)
        torch.testing.assert_close(said.sum(1), torch.ones(24))
        assert dino.centre.abs().sum() > 0
        assert not said.requires_grad

    def test_the_loss_trains_the_student_alone(self, scenes):
        torch.manual_seed(0)
        dino = Dino(10)
        loss = dino_loss(dino, scenes, 4, generator())
        assert set(loss) == {"dino"}
        loss["dino"].backward()
        backbone = dino.student["backbone"]
        assert backbone.embeddings.patch_embeddings.projection.weight.grad.abs().sum() > 0
        assert all(p.grad is None for p in dino.teacher.parameters())

    def test_what_is_saved_is_a_backbone(self, scenes, tmp_path):
        torch.manual_seed(0)
        dino = Dino(10)
        save_teacher(dino, tmp_path)
        backbone = load_backbone(ModelSpec(loader="dino", location=str(tmp_path)))
        pictures = to_input(scenes.pixels[:3])
        found = backbone(pictures).attention
        own = cls_attention(dino.teacher["backbone"].eval(), pictures)
        torch.testing.assert_close(found, own, atol=2e-3, rtol=0)


class TestAnchors:
    def test_a_patch_lies_on_a_thing_that_covers_a_quarter_of_it(self):
        regions = torch.zeros(1, 16, 16, dtype=torch.uint8)
        regions[0, :4, :4] = 2  # a quarter of the first of four patches
        regions[0, 8:11, 8:13] = 1  # 15 of 64 pixels of the last
        found = things_on_grid(regions, (2, 2))
        assert found.tolist() == [[[True, False], [False, False]]]

    def test_shares_are_of_the_best(self):
        regions = torch.zeros(2, 32, 32, dtype=torch.uint8)
        regions[:, :8, :24] = 1  # patches 0, 1 and 2 of 16
        maps = torch.arange(16.0).flip(0).view(1, 4, 4).repeat(2, 1, 1)
        maps[1, 3, 3] = 100.0
        found = anchor_shares(maps, regions)
        assert found == {
            "top_1": pytest.approx(0.5),
            "top_3": pytest.approx(5 / 6),
            "top_9": pytest.approx(3 / 9),
        }
        most = most_shares(regions, (4, 4))
        assert most == {"top_1": 1, "top_3": 1, "top_9": pytest.approx(1 / 3)}

    def test_colours_far_from_the_median_lie_on_things(self, scenes):
        maps = median_distance(to_input(scenes.pixels), (8, 8))
        assert anchor_shares(maps, torch.from_numpy(scenes.regions))["top_1"] > 0.9
