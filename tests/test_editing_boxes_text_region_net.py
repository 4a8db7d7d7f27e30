"""The network that sees the text, its files, and the regions that it finds."""

import json
from dataclasses import replace

import pytest
import torch
from fakes.regions import ColourClip, SpotBackbone
from PIL import Image
from safetensors.torch import load_file, save_file

from editing.boxes.proposals import propose
from editing.boxes.text_region_net import (
    TextRegionNet,
    choose_box,
    load_region_net,
    read_edit,
    save_region_net,
)
from editing.errors import EditError
from editing.regions.learned import LearnedRegions
from editing.requests import Request
from transforms.models.spec import ModelError, ModelSpec


def make_net(seed=0):
    torch.manual_seed(seed)
    net = TextRegionNet(depth=3, text_width=3, picture_size=16, width=8)
    return net.eval().requires_grad_(requires_grad=False)


def a_picture():
    return torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.fixture(scope="module")
def proposals():
    return propose(SpotBackbone(), a_picture(), anchors=3, sizes=2)


def ask(prompt="red", phrase="blue", picture=None):
    seen = a_picture() if picture is None else picture
    return read_edit(ColourClip(), seen, prompt=prompt, phrase=phrase, grid=(4, 4))


class TestNet:
    def test_every_box_has_a_logit(self, proposals):
        logits = choose_box(make_net(), proposals, ask())
        assert logits.shape == (3, 2)
        assert logits.unique().numel() == 6

    def test_it_reads_both_texts(self, proposals):
        net = make_net()
        texts = [("red", "blue"), ("green", "blue"), ("red", "green")]
        found = [choose_box(net, proposals, ask(*each)) for each in texts]
        assert not torch.allclose(found[0], found[1])
        assert not torch.allclose(found[0], found[2])

    def test_a_box_is_judged_by_itself_and_what_is_around_it(self, proposals):
        net = make_net()
        seen = (proposals.features, proposals.attention, ask())
        whole = net(*seen, proposals.extents())
        alone = net(*seen, proposals.extents()[1:2])
        torch.testing.assert_close(whole[1:2], alone)

    @pytest.mark.parametrize(
        ("shape", "message"),
        [
            ({"depth": 4}, "takes 4 numbers of the backbone's features, got 3"),
            ({"text_width": 5}, "takes 5 numbers of the encoder's embeddings, got 3"),
        ],
    )
    def test_a_network_of_another_preset_is_told(self, proposals, shape, message):
        known = {"depth": 3, "text_width": 3, "picture_size": 16, "width": 8}
        net = TextRegionNet(**(known | shape))
        with pytest.raises(ModelError, match=message):
            choose_box(net, proposals, ask())

    def test_it_sees_where_a_picture_is_like_the_texts(self, proposals):
        net, asked = make_net(), ask()
        with torch.no_grad():
            elsewhere = replace(asked, likeness=asked.likeness.flip(2))
            found = [choose_box(net, proposals, each) for each in (asked, elsewhere)]
            # How great the likeness is anywhere tells nothing: encoders differ in that.
            greater = replace(asked, likeness=3 * asked.likeness + 1)
            alike = choose_box(net, proposals, greater)
        assert not torch.allclose(found[0], found[1])
        torch.testing.assert_close(alike, found[0], atol=1e-4, rtol=1e-4)

    def test_a_picture_that_is_everywhere_alike_has_logits_too(self, proposals):
        plain = replace(ask(), likeness=torch.full((2, 4, 4), 0.3))
        assert choose_box(make_net(), proposals, plain).isfinite().all()


class TestAsked:
    def test_embeddings_have_length_one(self):
        asked = ask()
        for embedding in (asked.target, asked.phrase):
            torch.testing.assert_close(embedding.norm(), torch.tensor(1.0))

    @pytest.mark.parametrize("size", [(16, 16), (16, 48)])
    def test_it_says_where_a_picture_is_like_each_text(self, size):
        """Whatever its sides, all of it: ends of a long picture too."""
        picture = -torch.ones(3, *size)
        half = size[1] // 2
        picture[0, :, :half] = 1  # red on the left
        picture[2, :, half:] = 1  # blue on the right
        target, phrase = ask("red", "blue", picture).likeness
        for found, like in ((target, "red"), (phrase, "blue")):
            columns = found.mean(0)
            ends = (columns[0], columns[-1]) if like == "red" else (columns[-1], columns[0])
            assert ends[0] > 0.99
            assert ends[1] < 0


def spec(folder):
    return ModelSpec(loader="region_net", location=str(folder))


class TestFiles:
    def test_it_comes_back_as_it_was_saved(self, tmp_path, proposals):
        net, asked = make_net(), ask()
        save_region_net(net, tmp_path / "net")
        again = load_region_net(spec(tmp_path / "net"))
        assert (again.depth, again.text_width, again.picture_size, again.width) == (3, 3, 16, 8)
        expected = choose_box(net, proposals, asked)
        found = choose_box(again, proposals, asked)
        torch.testing.assert_close(found, expected, atol=5e-3, rtol=0)  # halves of numbers

    def test_saved_again_it_is_the_same_bytes(self, tmp_path):
        for name in "ab":
            save_region_net(make_net(), tmp_path / name)
        one, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in "ab")
        assert one == other

    @pytest.mark.parametrize(
        ("spoil", "message"),
        [
            (lambda s, c: s.update({"mix.1.bias": s["mix.1.bias"] * torch.nan}), "not finite"),
            (lambda s, c: s.pop("mix.1.bias"), "does not fit a region network"),
            (lambda s, c: c.update(width=9), "does not fit a region network"),
            (lambda s, c: c.update(width="wide"), "width must be a whole number of at least 1"),
            (lambda s, c: c.pop("depth"), "depth must be a whole number of at least 1, got None"),
            (lambda s, c: c.update(model_type="blip"), "holds a blip network, not region_net"),
        ],
    )
    def test_files_that_are_no_network_are_told(self, tmp_path, spoil, message):
        save_region_net(make_net(), tmp_path)
        path, beside = tmp_path / "model.safetensors", tmp_path / "config.json"
        state, config = load_file(path), json.loads(beside.read_text())
        spoil(state, config)
        save_file(state, path)
        beside.write_text(json.dumps(config))
        with pytest.raises(ModelError, match=message):
            load_region_net(spec(tmp_path))

    def test_a_damaged_file_is_told(self, tmp_path):
        save_region_net(make_net(), tmp_path)
        (tmp_path / "model.safetensors").write_bytes(b"nothing")
        with pytest.raises(ModelError, match="cannot be loaded"):
            load_region_net(spec(tmp_path))


class TestRegions:
    def finder(self, **changes):
        known = {"backbone": SpotBackbone(), "clip": ColourClip(), "net": make_net()}
        return LearnedRegions(**(known | {"anchors": 3, "sizes": 2} | changes))

    def find(self, finder, size=(16, 16), **changes):
        request = {"prompt": "a red cup", "mask_phrase": "blue cup"} | changes
        image = Image.effect_noise(size, 60).convert("RGB")
        (mask,) = finder.find([Request(image=image, **request)], [torch.Generator()])
        return mask

    def test_one_box_comes_out_of_the_picture_s_size(self):
        for size in ((16, 16), (64, 48)):
            mask = self.find(self.finder(), size)
            assert (mask.mode, mask.size) == ("L", size)
            left, top, right, bottom = mask.getbbox()
            assert mask.histogram()[255] == (right - left) * (bottom - top)

    def test_it_is_the_likeliest_of_all_boxes(self):
        class Sure(TextRegionNet):
            def __init__(self):
                super().__init__(depth=3, text_width=3, picture_size=16, width=8)
                self.known = torch.nn.Parameter(torch.zeros(1))

            def forward(self, features, attention, asked, extents):
                logits = torch.zeros(extents.shape[:2])
                logits[2, 1] = 1
                return logits

        sure = self.find(self.finder(net=Sure()))
        # The anchor (0, 3), half the shorter side in each direction, cut off at the border.
        assert sure.getbbox() == (6, 0, 16, 10)

    def test_it_needs_words(self):
        with pytest.raises(EditError, match="a mask needs edit_mask, mask_phrase"):
            self.find(self.finder(), mask_phrase=None)

    def test_it_needs_so_many_anchors(self):
        with pytest.raises(EditError, match=r"anchors must be in \[1, 16\].*got 17"):
            self.find(self.finder(anchors=17))
