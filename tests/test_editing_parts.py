"""Parts: loaded when they are asked for, once, with what device and precision a person wants."""

import pickle

import pytest

from editing.parts import PART_LOADERS, PartLoader, Parts
from transforms.models.files import identity
from transforms.models.spec import ModelError, ModelSpec
from transforms.presets import Preset, PresetError

NOWHERE = ModelSpec(loader="clip", location="/nowhere/clip")
OTHER = ModelSpec(loader="clip", location="/nowhere/other")
PRESET = Preset(
    name="mine",
    parts={
        "captioner": ModelSpec(loader="blip", location="/nowhere/blip"),
        "encoder": NOWHERE,
        "segmenter": ModelSpec(loader="clipseg", location="/nowhere/clipseg"),
        "diffusion": ModelSpec(
            loader="stable_diffusion", location="/nowhere/sd", options=(("dtype", "bfloat16"),)
        ),
    },
)


@pytest.fixture
def loaded(monkeypatch):
    """What was loaded, by part and spec; every loader gives a new object."""
    asked = []

    def counting(name):
        def load(spec):
            asked.append((name, spec))
            return object()

        return load

    for name, loader in list(PART_LOADERS.items()):
        monkeypatch.setitem(PART_LOADERS, name, PartLoader(counting(name), loader.of))
    return asked


class TestLoading:
    def test_nothing_is_loaded_until_it_is_asked_for(self, loaded):
        parts = Parts(preset=PRESET)
        assert parts.spec("encoder") == NOWHERE
        assert loaded == []
        parts.load("encoder")
        assert loaded == [("encoder", NOWHERE)]

    def test_a_part_is_loaded_once(self, loaded):
        parts = Parts(preset=PRESET)
        assert parts.load("encoder") is parts.load("encoder")
        assert len(loaded) == 1

    def test_two_uses_of_one_model_are_two_parts(self, loaded):
        """The encoder for pictures, and the same weights for tensors."""
        parts = Parts(preset=PRESET)
        assert parts.load("encoder") is not parts.load("clip_space")
        assert loaded == [("encoder", NOWHERE), ("clip_space", NOWHERE)]

    def test_what_two_share_is_loaded_once_and_what_they_do_not_twice(self, loaded):
        parts = Parts(preset=PRESET)
        changed = parts.with_replaced({"encoder": OTHER})
        assert parts.load("segmenter") is changed.load("segmenter")
        assert parts.load("encoder") is not changed.load("encoder")
        assert parts.with_replaced({"encoder": OTHER}).load("encoder") is changed.load("encoder")
        assert [spec for name, spec in loaded if name == "encoder"] == [NOWHERE, OTHER]
        assert len(loaded) == 3

    def test_replacing_leaves_the_first_as_it_is(self, loaded):
        parts = Parts(preset=PRESET)
        assert parts.with_replaced({"encoder": OTHER}).spec("encoder") == OTHER
        assert parts.spec("encoder") == NOWHERE

    def test_the_real_loaders_give_what_the_parts_are(self, editing_preset):
        from editing.diffusion.model import LatentDiffusion
        from editing.features.clip import ClipSpace
        from editing.features.perceptual import PerceptualFeatures
        from transforms.protocols import Captioner, Encoder, Segmenter

        parts = Parts(preset=editing_preset)
        assert isinstance(parts.captioner, Captioner)
        assert isinstance(parts.encoder, Encoder)
        assert isinstance(parts.segmenter, Segmenter)
        assert isinstance(parts.diffusion, LatentDiffusion)
        assert isinstance(parts.load("clip_space"), ClipSpace)
        assert isinstance(parts.load("perceptual"), PerceptualFeatures)


class TestSpecs:
    def test_without_device_and_precision_the_preset_s_own_is_kept(self):
        parts = Parts(preset=PRESET)
        assert {name: parts.spec(name) for name in PRESET.parts} == PRESET.parts

    def test_a_device_is_every_part_s(self):
        parts = Parts(preset=PRESET, device="cuda:1")
        assert all(dict(parts.spec(name).options)["device"] == "cuda:1" for name in PRESET.parts)

    def test_a_precision_is_the_diffusion_model_s_alone(self):
        parts = Parts(preset=PRESET, dtype="float16")
        assert dict(parts.spec("diffusion").options) == {"dtype": "float16"}
        assert dict(parts.spec("encoder").options) == {}

    def test_both_are_a_replaced_part_s_too(self):
        parts = Parts(preset=PRESET, device="cpu", dtype="float16")
        found = parts.with_replaced({"diffusion": OTHER}).spec("diffusion")
        assert (found.location, dict(found.options)) == (
            OTHER.location,
            {"device": "cpu", "dtype": "float16"},
        )

    def test_a_precision_reaches_the_network(self, editing_preset):
        parts = Parts(preset=editing_preset, dtype="bfloat16")
        assert str(parts.diffusion.unet.dtype) == "torch.bfloat16"


class TestIdentities:
    def test_they_are_of_the_preset_s_parts(self, editing_preset):
        parts = Parts(preset=editing_preset)
        found = parts.identities(("diffusion", "clip_space", "encoder"))
        assert list(found) == ["diffusion", "encoder"]
        assert found["encoder"] == editing_preset.identities(["encoder"])["encoder"]

    def test_a_device_is_none_of_them_and_a_precision_is(self, editing_preset):
        plain, moved, halved = (
            Parts(preset=editing_preset, **how).identities(["diffusion"])
            for how in ({}, {"device": "cpu"}, {"dtype": "float16"})
        )
        assert plain == moved
        assert plain != halved

    def test_a_part_that_nobody_asks_for_is_neither_hashed_nor_loaded(self, editing_preset):
        """What it is said to be is not there."""
        preset = Preset(name="mine", parts={**editing_preset.parts, "captioner": NOWHERE})
        parts = Parts(preset=preset)
        assert parts.identities(["encoder"]).keys() == {"encoder"}
        assert parts.encoder is not None
        with pytest.raises(ModelError, match="no model at /nowhere/clip"):
            parts.identities(["captioner"])

    def test_a_model_that_several_share_is_hashed_once(self, editing_preset, monkeypatch):
        hashed = []

        def counting(spec):
            hashed.append(spec)
            return identity(spec)

        monkeypatch.setattr("editing.parts.identity", counting)
        parts = Parts(preset=editing_preset)
        found = parts.identities(["encoder"])
        assert parts.with_replaced({"diffusion": OTHER}).identities(["encoder"]) == found
        assert len(hashed) == 1
        again = pickle.loads(pickle.dumps(parts))
        assert again.identities(["encoder"]) == found
        assert len(hashed) == 2


class TestMissing:
    def test_a_part_the_preset_does_not_name(self):
        with pytest.raises(PresetError) as caught:
            Parts(preset=PRESET).load("perceptual")
        assert str(caught.value) == (
            "preset mine names no perceptual model; it has captioner, diffusion, encoder, segmenter"
        )

    def test_a_replaced_part_need_not_be_the_preset_s(self):
        parts = Parts(preset=PRESET, replaced={"perceptual": OTHER})
        assert parts.spec("perceptual") == OTHER

    def test_a_model_that_is_not_there(self):
        with pytest.raises(ModelError, match="no model at /nowhere/clip"):
            Parts(preset=PRESET).load("encoder")


def test_pickled_parts_forget_what_was_loaded(loaded):
    parts = Parts(preset=PRESET, replaced={"encoder": OTHER}, device="cpu")
    first = parts.load("encoder")
    data = pickle.dumps(parts)
    again = pickle.loads(data)
    assert again == parts
    assert len(data) < 2_000
    assert again.load("encoder") is not first
    assert parts.load("encoder") is first
