"""Training the network that sees the text: what is minimised, what is kept, how a run goes on."""

import json
from dataclasses import dataclass, field

import pytest
import torch
from fakes.editors import seeded
from fakes.objective import weights_of
from fakes.pairs import SIDE, write_pairs
from fakes.regions import ColourClip, ColourInpainter, SpotBackbone
from fakes.training import Run, same
from PIL import Image

from editing.boxes.proposals import propose
from editing.boxes.text_region_net import load_region_net
from editing.editors.learned_regions.kept_worth import WORTH, KeptWorth
from editing.editors.learned_regions.objective import NoDraw, RegionObjective
from editing.editors.learned_regions.seen_pairs import MOST_BYTES, SeenPairs
from editing.editors.learned_regions.settings import RegionTraining
from editing.requests import Request
from editing.training.objective import Objective, PairBatch
from transforms.models.spec import ModelSpec


@dataclass(frozen=True)
class CountingBackbone(SpotBackbone):
    """How many times it was asked, beside."""

    looks: list[int] = field(default_factory=list)

    def __call__(self, pictures):
        self.looks.append(len(pictures))
        return super().__call__(pictures)


def make_objective(most_bytes=MOST_BYTES, **settings):
    settings = {"weight_area": 0.0} | settings
    inpainter = ColourInpainter()
    objective = RegionObjective(
        backbone=CountingBackbone(),
        clip=ColourClip(),
        inpainter=inpainter,
        seen=SeenPairs(most_bytes),
        settings=RegionTraining(**({"anchors": 2, "sizes": 3} | settings)),
    )
    return objective, inpainter


def batch(count=2):
    pictures = torch.rand(count, 3, 16, 16, generator=seeded(1)) * 2 - 1
    masks = torch.ones(count, 1, 16, 16)
    return PairBatch(
        keys=tuple(f"key {n}" for n in range(count)),
        source=pictures,
        target=-pictures,
        source_mask=masks,
        target_mask=masks,
        captions=("a blue cup", "a red cup")[:count],
        edit_prompts=("a red cup", "a green cup")[:count],
        source_phrases=("blue cup", "red cup")[:count],
        target_phrases=("red cup", "green cup")[:count],
        quality=torch.ones(count),
    )


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    write_pairs(folder, (4, 2))
    return folder


def test_it_is_an_objective():
    assert isinstance(make_objective()[0], Objective)


class TestLoss:
    def test_it_is_the_expected_loss_over_all_boxes(self):
        objective, _ = make_objective(standardise=False)
        with torch.no_grad():
            for parameter in objective.net.parameters():
                parameter.zero_()  # every box is as likely as every other
        loss = objective(batch(1), NoDraw()).terms["expected"]
        (kept,) = (objective.kept.get("key 0 16"),)
        assert loss.item() == pytest.approx(kept.mean().item(), abs=1e-6)

    def test_a_large_box_costs_more(self):
        without, _ = make_objective(standardise=False)
        with_area, _ = make_objective(standardise=False, weight_area=2.0)
        for objective in (without, with_area):
            with torch.no_grad():
                for parameter in objective.net.parameters():
                    parameter.zero_()
        plain, dearer = (
            each(batch(1), NoDraw()).terms["expected"].item() for each in (without, with_area)
        )
        proposals = propose(SpotBackbone(), batch(1).source[0], anchors=2, sizes=3)
        assert dearer - plain == pytest.approx(2 * proposals.areas().mean().item(), rel=1e-4)
        assert proposals.areas()[0, 0].item() == pytest.approx((4 / 16) ** 2)

    def test_losses_of_a_pair_have_mean_zero(self):
        objective, _ = make_objective()
        with torch.no_grad():
            for parameter in objective.net.parameters():
                parameter.zero_()
        assert objective(batch(), NoDraw()).terms["expected"].item() == pytest.approx(0, abs=1e-5)

    def test_a_pair_counts_by_its_quality(self):
        objective, _ = make_objective()
        both = objective(batch(), NoDraw()).pulled
        weighed = batch()
        weighed.quality[1] = 0
        loss = objective(weighed, NoDraw()).terms["expected"]
        assert loss.item() == pytest.approx(both[0].item() / 2, rel=1e-5)

    def test_gradients_reach_the_whole_network(self):
        objective, _ = make_objective()
        objective(batch(), NoDraw()).terms["expected"].backward()
        without = [n for n, p in objective.net.named_parameters() if p.grad is None]
        assert without == []

    def test_a_cold_softmax_takes_one_box(self):
        objective, _ = make_objective(standardise=False, temperature=1e-5)
        loss = objective(batch(1), NoDraw()).terms["expected"].item()
        assert (objective.kept.get("key 0 16") - loss).abs().min().item() < 1e-6


class TestTraining:
    def test_the_loss_falls(self, pairs, tmp_path):
        objective, _ = make_objective()
        run = Run(objective, pairs, tmp_path, steps=24, learning_rate=1e-2, checkpoint_every=24)
        reports = run.go().reports
        first, last = (
            sum(report.loss for report in some) / len(some) for some in (reports[:3], reports[-3:])
        )
        assert last < first - 0.15

    def test_a_pair_is_painted_once(self, pairs, tmp_path):
        objective, inpainter = make_objective()
        objective.keep_in(tmp_path / "kept")
        Run(objective, pairs, tmp_path / "run", steps=9).go()
        painted = len(inpainter.batches)
        assert painted == 6
        lines = (tmp_path / "kept" / WORTH).read_text().splitlines()
        assert len({json.loads(line)["key"] for line in lines}) == len(lines) == 6

    def test_a_pair_is_looked_at_once_where_there_is_room(self, pairs, tmp_path):
        def go(name, most_bytes):
            objective, _ = make_objective(most_bytes)
            Run(objective, pairs, tmp_path / name, steps=18).go()
            return objective

        kept, forgetful = go("kept", MOST_BYTES), go("forgetful", 0)
        # Once to learn how many numbers a patch has, and once a pair.
        assert len(kept.backbone.looks) == 1 + 6
        assert len(forgetful.backbone.looks) > 1 + 6
        assert same(weights_of(kept), weights_of(forgetful))

    def test_a_run_that_goes_on_paints_nothing_twice_and_ends_the_same(self, pairs, tmp_path):
        whole, _ = make_objective()
        Run(whole, pairs, tmp_path / "whole", steps=6).go()
        begun, inpainter = make_objective()
        begun.keep_in(tmp_path / "kept")
        with pytest.raises(KeyboardInterrupt):
            Run(begun, pairs, tmp_path / "run", steps=6).go(until=4)
        more, later = make_objective()
        more.keep_in(tmp_path / "kept")
        Run(more, pairs, tmp_path / "run", steps=6).go()
        assert same(weights_of(whole), weights_of(more))
        assert len(inpainter.batches) + len(later.batches) == 6

    def test_the_network_is_saved_as_the_part_that_is_loaded(self, tmp_path):
        objective, _ = make_objective()
        objective.save(tmp_path / "region_net")
        spec = ModelSpec(loader="region_net", location=str(tmp_path / "region_net"))
        again = load_region_net(spec)
        assert again.picture_size == objective.picture_size
        expected = {name: value.half() for name, value in objective.net.state_dict().items()}
        assert same(expected, {n: v.half() for n, v in again.state_dict().items()})

    def test_samples_are_painted_in_the_box_of_now_or_in_the_mask(self):
        objective, inpainter = make_objective()
        image = Image.new("RGB", (SIDE, SIDE), (0, 0, 255))
        asked = {"image": image, "prompt": "a red cup", "mask_phrase": "blue cup"}
        whole = Image.new("L", image.size, 255)
        requests = [Request(**asked), Request(**asked, edit_mask=whole)]
        found, masked = objective.edit_samples(requests, [seeded(), seeded()])
        assert inpainter.batches == [2]
        assert found.edit_mask.getbbox() is not None
        assert masked.edit_mask.tobytes() == whole.tobytes()


class TestSeen:
    def test_there_is_room_for_so_many_bytes(self):
        objective, _ = make_objective()
        objective(batch(), NoDraw())
        one, other = (objective.seen.get(f"key {n} 16") for n in range(2))
        floats = 3 * 16 + 16 + 3 + 3 + 2 * 16  # features, attention, two texts, two maps
        assert one.size == other.size == 4 * floats
        few = SeenPairs(one.size)
        few.put("a", one)
        few.put("a", one)  # once is enough
        few.put("b", other)
        assert (few.get("a"), few.get("b")) == (one, None)


class TestKept:
    def test_what_was_put_is_there_again(self, tmp_path):
        kept = KeptWorth()
        kept.open(tmp_path)
        losses = torch.rand(5, generator=seeded())
        kept.put("a", losses)
        again = KeptWorth()
        again.open(tmp_path)
        assert torch.equal(again.get("a"), losses)
        assert again.get("b") is None

    def test_a_line_that_was_cut_off_is_made_again(self, tmp_path):
        kept = KeptWorth()
        kept.open(tmp_path)
        kept.put("a", torch.ones(2))
        with (tmp_path / WORTH).open("a") as file:
            file.write('{"key": "b", "losses": [0.')
        again = KeptWorth()
        again.open(tmp_path)
        assert again.get("b") is None
        again.put("b", torch.zeros(2))
        last = KeptWorth()
        last.open(tmp_path)
        assert torch.equal(last.get("b"), torch.zeros(2))
        assert torch.equal(last.get("a"), torch.ones(2))
