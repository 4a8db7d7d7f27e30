"""The loaders on small random networks saved as the published ones are."""

import json
import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes.model_folders import SIZE, copy_folder, network_spec, save_blip, save_clip
from fakes.pictures import noise

from transforms.models.loading import (
    LoadCaptioner,
    LoadEncoder,
    LoadSegmenter,
    load_captioner,
    load_encoder,
    load_segmenter,
)
from transforms.models.spec import ModelError

PICTURES = [noise(n, size) for n, size in enumerate([(SIZE, SIZE), (60, 40), (33, 90)] * 3)]
TEXTS = ["a red apple", "the bus", "", "a large green pear on the train " * 5, "snowman"]


class TestCaptioner:
    @pytest.mark.parametrize("beams", [1, 3])
    def test_captions_with_confidence(self, network_folders, beams):
        captioner = load_captioner(
            network_spec("blip", network_folders["blip"], num_beams=beams, max_new_tokens=6)
        )
        captions = captioner.caption(PICTURES)
        assert len(captions) == len(PICTURES)
        assert all(0 < caption.confidence <= 1 for caption in captions)
        assert all(len(caption.text.split()) <= 6 for caption in captions)
        assert len({caption.text for caption in captions}) > 2
        assert not any("[" in caption.text for caption in captions)

    @pytest.mark.parametrize("beams", [1, 3])
    def test_neighbours_change_not_one_bit(self, network_folders, beams):
        captioner = load_captioner(
            network_spec(
                "blip", network_folders["blip"], num_beams=beams, max_new_tokens=6, batch_size=4
            )
        )
        together = captioner.caption(PICTURES)
        assert captioner.caption(PICTURES[::-1])[::-1] == together
        assert captioner.caption(PICTURES[3:4]) == together[3:4]

    @pytest.mark.parametrize("beams", [1, 3])
    def test_confidence_is_the_least_certain_tokens_probability(self, network_folders, beams):
        """Against the network's own forward pass over the finished caption."""
        captioner = load_captioner(
            network_spec("blip", network_folders["blip"], num_beams=beams, max_new_tokens=6)
        )
        network, tokenizer = captioner.network, captioner.tokenizer
        for image, caption in zip(PICTURES, captioner.caption(PICTURES), strict=True):
            words = tokenizer(caption.text, add_special_tokens=False).input_ids
            ids = torch.tensor([[2, *words, *([3] if len(words) < 6 else [])]])
            with torch.inference_mode():
                logits = network(captioner.pictures([image]), input_ids=ids).logits[0, :-1]
            chances = logits.softmax(-1)[torch.arange(len(logits)), ids[0, 1:]]
            assert caption.confidence == pytest.approx(float(chances.min()), abs=1e-5)

    def test_no_pictures_no_captions(self, network_folders):
        assert load_captioner(network_spec("blip", network_folders["blip"])).caption([]) == []


class TestEncoder:
    @pytest.mark.parametrize("loader", ["clip", "open_clip"])
    def test_unit_vectors_in_order(self, network_folders, loader):
        encoder = load_encoder(network_spec(loader, network_folders[loader], batch_size=2))
        for found, count in [
            (encoder.encode_images(PICTURES), len(PICTURES)),
            (encoder.encode_texts(TEXTS), len(TEXTS)),
            (encoder.encode_images([]), 0),
            (encoder.encode_texts([]), 0),
        ]:
            assert found.shape == (count, encoder.dimension)
            assert found.dtype == np.float32
            assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
        backwards = encoder.encode_texts(TEXTS[::-1])[::-1]
        assert np.allclose(encoder.encode_texts(TEXTS), backwards, atol=1e-6)
        red, bus = encoder.encode_texts(TEXTS[:2])
        assert red @ bus < 0.9999

    @pytest.mark.parametrize("loader", ["clip", "open_clip"])
    def test_neighbours_change_not_one_bit(self, network_folders, loader):
        encoder = load_encoder(network_spec(loader, network_folders[loader], batch_size=6))
        for encode, items in [(encoder.encode_images, PICTURES), (encoder.encode_texts, TEXTS)]:
            together = encode(items)
            assert np.array_equal(encode(items[::-1])[::-1], together)
            assert np.array_equal(encode(items[3:4])[0], together[3])

    def test_half_precision_weights_are_widened(self, tmp_path):
        folder = save_clip(tmp_path, dtype=torch.float16)
        encoder = load_encoder(network_spec("clip", folder))
        assert {p.dtype for p in encoder.network.parameters()} == {torch.float32}
        assert not any(p.requires_grad for p in encoder.network.parameters())
        assert not encoder.network.training

    def test_open_clip_from_a_bare_weights_file(self, network_folders, tmp_path):
        import open_clip

        config = json.loads((network_folders["open_clip"] / "open_clip_config.json").read_text())
        (tmp_path / "tiny-clip.json").write_text(json.dumps(config["model_cfg"]))
        open_clip.add_model_config(tmp_path)
        weights = network_folders["open_clip"] / "open_clip_model.safetensors"
        bare = load_encoder(network_spec("open_clip", weights, architecture="tiny-clip"))
        whole = load_encoder(network_spec("open_clip", network_folders["open_clip"]))
        assert np.array_equal(bare.encode_texts(TEXTS), whole.encode_texts(TEXTS))
        square = PICTURES[:1]
        assert np.array_equal(bare.encode_images(square), whole.encode_images(square))

    def test_open_clip_takes_the_whole_network_not_the_picture_tower(
        self, network_folders, tmp_path
    ):
        folder = tmp_path / "hub"
        shutil.copytree(network_folders["open_clip"], folder)
        (folder / "model.safetensors").write_bytes(b"the picture tower alone")
        load_encoder(network_spec("open_clip", folder))
        (folder / "open_clip_model.safetensors").rename(folder / "other.safetensors")
        with pytest.raises(ModelError, match="more than one weights file"):
            load_encoder(network_spec("open_clip", folder))


class TestSegmenter:
    def test_relevance_at_the_networks_size(self, network_folders):
        segmenter = load_segmenter(
            network_spec("clipseg", network_folders["clipseg"], batch_size=2)
        )
        found = segmenter.relevance(PICTURES[:5], TEXTS)
        assert found.shape == (5, SIZE, SIZE)
        assert found.dtype == np.float32
        assert found.min() >= 0
        assert found.max() <= 1
        assert found.std() > 0.01
        assert segmenter.relevance([], []).shape == (0, SIZE, SIZE)

    def test_the_phrase_matters(self, network_folders):
        segmenter = load_segmenter(network_spec("clipseg", network_folders["clipseg"]))
        one, other = segmenter.relevance(PICTURES[:1] * 2, ["red apple", "blue bus"])
        assert not np.allclose(one, other)

    def test_the_whole_picture_is_looked_at_whatever_its_shape(self, network_folders):
        segmenter = load_segmenter(network_spec("clipseg", network_folders["clipseg"]))
        assert segmenter.pictures.shortest_edge is None
        wide = noise(3, (96, 32))
        changed = wide.copy()
        changed.paste((255, 0, 0), (0, 0, 24, 32))
        one, other = segmenter.relevance([wide, changed], ["bus", "bus"])
        assert not np.allclose(one, other)

    def test_neighbours_change_not_one_bit(self, network_folders):
        segmenter = load_segmenter(
            network_spec("clipseg", network_folders["clipseg"], batch_size=4)
        )
        together = segmenter.relevance(PICTURES[:5], TEXTS)
        backwards = segmenter.relevance(PICTURES[:5][::-1], TEXTS[::-1])
        assert np.array_equal(backwards[::-1], together)
        alone = segmenter.relevance(PICTURES[3:4], TEXTS[3:4])
        assert np.array_equal(alone[0], together[3])

    def test_one_phrase_per_noise(self, network_folders):
        segmenter = load_segmenter(network_spec("clipseg", network_folders["clipseg"]))
        with pytest.raises(ValueError, match="one phrase per picture: 1 and 2"):
            segmenter.relevance(PICTURES[:1], ["a", "b"])

    def test_a_size_that_does_not_divide_is_refused(self, network_folders, tmp_path):
        folder = copy_folder(network_folders["clipseg"], tmp_path)
        path = folder / "preprocessor_config.json"
        fields = json.loads(path.read_text()) | {"do_center_crop": False, "size": 36}
        path.write_text(json.dumps(fields))
        with pytest.raises(ModelError, match="36 px do not divide into patches of 8"):
            load_segmenter(network_spec("clipseg", folder))
        path.write_text(json.dumps(fields | {"size": {"height": 32, "width": 40}}))
        with pytest.raises(ModelError, match="wants square pictures, got 32 x 40"):
            load_segmenter(network_spec("clipseg", folder))


class TestDocs:
    def test_the_recipe_for_converting_a_pickle(self, tmp_path, monkeypatch, capsys):
        from safetensors.torch import load_file

        folder = tmp_path / "blip-image-captioning-base"
        folder.mkdir()
        save_blip(folder)
        before = load_captioner(network_spec("blip", folder, max_new_tokens=6)).caption(PICTURES)
        weights = folder / "model.safetensors"
        torch.save(load_file(weights), folder / "pytorch_model.bin")
        weights.unlink()
        monkeypatch.chdir(tmp_path)
        text = (Path(__file__).parent.parent / "docs" / "full_size.md").read_text()
        (recipe,) = re.findall("```python\n(.*?)```", text, re.DOTALL)
        exec(recipe, {})
        after = load_captioner(network_spec("blip", folder, max_new_tokens=6)).caption(PICTURES)
        assert after == before


class TestPickling:
    @pytest.mark.parametrize("load", [LoadCaptioner, LoadEncoder, LoadSegmenter])
    def test_what_to_load_is_a_small_value(self, load):
        one = load(network_spec("clip", Path("x")))
        assert pickle.loads(pickle.dumps(one)) == one
        assert hash(one) == hash(load(network_spec("clip", Path("x"))))
        assert len(pickle.dumps(one)) < 500

    def test_loads_when_called(self, network_folders):
        assert LoadEncoder(network_spec("clip", network_folders["clip"]))().dimension == 8
        assert LoadCaptioner(network_spec("blip", network_folders["blip"]))().caption([]) == []
        segmenter = LoadSegmenter(network_spec("clipseg", network_folders["clipseg"]))()
        assert segmenter.relevance([], []).shape[0] == 0
