"""Pictures into numbers: as the published processors do it, and untouched at the right size."""

import json

import numpy as np
import pytest
import torch
from fakes.pictures import noise
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from transforms.models.pictures import PictureProcessor, processor_from, read_picture_processor
from transforms.models.spec import ModelError

CLIP_FIELDS = {
    "crop_size": 224,
    "do_center_crop": True,
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "CLIPFeatureExtractor",
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
    "size": 224,
}


class TestProcessorFrom:
    def test_older_files_with_one_number_crop_from_the_shorter_side(self):
        made = processor_from(CLIP_FIELDS, where="x")
        assert (made.height, made.width, made.shortest_edge) == (224, 224, 224)

    def test_one_number_without_a_crop_is_both_sides(self):
        fields = CLIP_FIELDS | {"do_center_crop": False, "size": 352, "resample": 2}
        made = processor_from(fields, where="x")
        assert (made.height, made.width, made.shortest_edge) == (352, 352, None)
        assert made.resample == Image.Resampling.BILINEAR

    def test_newer_files(self):
        fields = CLIP_FIELDS | {
            "size": {"shortest_edge": 240},
            "crop_size": {"height": 224, "width": 200},
        }
        made = processor_from(fields, where="x")
        assert (made.height, made.width, made.shortest_edge) == (224, 200, 240)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"do_resize": False}, "x: do_resize must be true, got False"),
            ({"size": {"longest_edge": 3}, "do_center_crop": False}, "x: cannot be used"),
            ({"image_mean": [1]}, "x: cannot be used"),
            ({"size": 200}, "shortest_edge 200 is smaller than the crop 224 x 224"),
            ({"size": 0, "do_center_crop": False}, "picture size must be positive, got 0 x 0"),
        ],
    )
    def test_what_it_cannot_do_is_refused(self, change, message):
        with pytest.raises(ModelError, match=message):
            processor_from(CLIP_FIELDS | change, where="x")

    def test_reads_either_file(self, tmp_path):
        with pytest.raises(ModelError, match=r"preprocessor_config\.json is missing"):
            read_picture_processor(tmp_path)
        newer = tmp_path / "processor_config.json"
        newer.write_text(json.dumps({"image_processor": CLIP_FIELDS}))
        assert read_picture_processor(tmp_path) == processor_from(CLIP_FIELDS, where="x")
        older = tmp_path / "preprocessor_config.json"
        older.write_text("{")
        with pytest.raises(ModelError, match="not readable as JSON"):
            read_picture_processor(tmp_path)


class TestPictureProcessor:
    def test_a_picture_of_the_right_size_is_not_resampled(self):
        image = noise(1, (32, 32))
        for edge in (None, 32):
            assert PictureProcessor(height=32, width=32, shortest_edge=edge).fit(image) is image

    @settings(max_examples=30, deadline=None)
    @given(st.integers(40, 90), st.integers(40, 90), st.booleans(), st.sampled_from([2, 3]))
    def test_equals_the_published_processor(self, width, height, crops, resample):
        from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

        size = {"shortest_edge": 32} if crops else {"height": 32, "width": 32}
        theirs = CLIPImageProcessorPil(
            size=size,
            crop_size={"height": 32, "width": 32},
            do_center_crop=crops,
            resample=resample,
        )
        ours = processor_from(json.loads(theirs.to_json_string()), where="x")
        image = noise(width * 100 + height, (width, height))
        expected = theirs([image], return_tensors="pt").pixel_values
        found = ours([image])
        assert found.dtype == torch.float32
        assert found.shape == (1, 3, 32, 32)
        assert torch.allclose(found, expected, atol=1e-5)

    def test_normalises(self):
        made = PictureProcessor(height=2, width=2, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
        out = made([Image.new("RGB", (2, 2), (255, 0, 51))])
        assert np.allclose(out[0, :, 0, 0], [1, -1, -0.6], atol=1e-6)

    def test_only_rgb(self):
        with pytest.raises(ValueError, match="must be RGB, got L"):
            PictureProcessor(height=2, width=2)([Image.new("L", (2, 2))])


@pytest.mark.parametrize("size", [(224, 224), (37, 300), (640, 480)])
def test_what_a_card_looks_up_is_the_same_to_the_last_bit(size):
    processor = PictureProcessor(height=24, width=32, shortest_edge=32)
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    images = [Image.fromarray(pixels), Image.new("RGB", size, (0, 255, 128))]
    found = processor.on_device(images, torch.device("cpu"))
    assert found.dtype == torch.float32
    assert found.shape == (2, 3, 24, 32)
    assert torch.equal(found, processor(images))


def test_a_network_gets_its_pictures_in_its_own_precision():
    processor = PictureProcessor(height=8, width=8)
    images = [Image.new("RGB", (8, 8), (9, 99, 199))]
    found = processor.for_network(images, torch.nn.Linear(1, 1).to(torch.bfloat16))
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, processor(images).to(torch.bfloat16))
