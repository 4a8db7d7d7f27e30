"""Presets: the built-in ones, one's own, and everything that may be wrong with a file."""

import re
import shutil
from pathlib import Path

import pytest
import yaml
from fakes.model_folders import save_clip

from transforms.models.files import identity
from transforms.models.loading import CAPTIONERS, ENCODERS, SEGMENTERS, load_encoder
from transforms.models.spec import ModelError, spec_from
from transforms.presets import (
    PIPELINE_PARTS,
    PresetError,
    built_in_presets,
    choose_batch_size,
    load_preset,
    place_preset,
)

PART = {"loader": "clip", "location": "/models/clip", "revision": None}
FIELDS = {"captioner": PART, "encoder": PART, "segmenter": PART}


def write(tmp_path: Path, fields: object) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(fields))
    return str(path)


class TestBuiltIn:
    def test_both_are_found(self):
        assert {"stilllife", "sd14"} <= set(built_in_presets())

    @pytest.mark.parametrize("name", ["stilllife", "sd14"])
    def test_every_part_has_a_loader(self, name):
        preset = load_preset(name)
        assert preset.name == name
        assert preset.captioner.loader in CAPTIONERS
        assert preset.encoder.loader in ENCODERS
        assert preset.segmenter.loader in SEGMENTERS

    def test_the_still_life_s_editors_find_their_parts(self):
        assert {"diffusion", "perceptual"} <= load_preset("stilllife").parts.keys()

    def test_the_still_life_chooses_what_suits_its_networks(self):
        assert load_preset("stilllife").defaults == {
            "senses": "frequency",
            "features": "judge",
            "tokens": "end",
        }
        assert load_preset("sd14").defaults == {}

    def test_still_life_needs_no_hub(self):
        parts = load_preset("stilllife").parts.values()
        assert all(spec.location.startswith("package:stilllife/") for spec in parts)

    def test_everything_from_the_hub_is_pinned(self):
        parts = load_preset("sd14").parts
        assert set(parts) >= {"captioner", "encoder", "segmenter", "diffusion", "backbone"}
        assert all(re.fullmatch("[0-9a-f]{40}", spec.revision or "") for spec in parts.values())


class TestLoadPreset:
    def test_ones_own_with_folders_beside_the_file(self, tmp_path):
        (tmp_path / "clip").mkdir()
        save_clip(tmp_path / "clip")
        fields = FIELDS | {"encoder": PART | {"location": "./clip", "options": {"batch_size": 2}}}
        preset = load_preset(write(tmp_path, fields))
        assert preset.name == "mine"
        assert preset.captioner.location == "/models/clip"
        assert preset.encoder.location == str(tmp_path / "clip")
        assert set(preset.parts) == set(PIPELINE_PARTS)
        assert load_encoder(preset.encoder).encode_texts(["a bus"]).shape == (1, 8)

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            (
                FIELDS | {"left critic": PART},
                "a part must be named by letters, digits and _, got 'left critic'",
            ),
            (
                FIELDS | {3: PART},
                "a part must be named by letters, digits and _, got '3'",
            ),
            (FIELDS | {"critic": None}, "part critic must map loader, location and revision"),
            (FIELDS | {"critic": {"loader": "x"}}, "critic: `revision` is missing"),
            (FIELDS | {"encoder": None}, "part encoder is missing"),
            (FIELDS | {"defaults": ["judge"]}, "defaults must map names to words, got ['judge']"),
            (FIELDS | {"defaults": None}, "defaults must map names to words, got None"),
            (FIELDS | {"defaults": {"senses": 3}}, "defaults must map names to words, got {'se"),
            ({"captioner": PART, "encoder": PART}, "part segmenter is missing"),
            (FIELDS | {"encoder": "clip"}, "part encoder must map loader, location and revision"),
            (FIELDS | {"encoder": PART | {"weights": 1}}, "encoder: unknown key 'weights'"),
            (FIELDS | {"encoder": PART | {"revision": "main"}}, "got 'main'"),
            (
                FIELDS | {"encoder": {"loader": "clip", "location": "a/b"}},
                "encoder: `revision` is missing",
            ),
            (["clip"], "must map parts to models"),
            (None, "must map parts to models"),
        ],
    )
    def test_bad_files_are_named(self, tmp_path, fields, message):
        path = write(tmp_path, fields)
        with pytest.raises(PresetError) as caught:
            load_preset(path)
        assert message in str(caught.value)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)

    def test_a_part_may_have_any_name(self, tmp_path):
        """Editors name what they need; the pipeline asks for none of it."""
        other = PART | {"loader": "mine", "location": "./net"}
        preset = load_preset(write(tmp_path, FIELDS | {"critic": PART, "depth_2": other}))
        assert set(preset.parts) == {*PIPELINE_PARTS, "critic", "depth_2"}
        assert preset.part("depth_2").loader == "mine"
        assert preset.part("depth_2").location == str(tmp_path / "net")

    def test_a_part_that_nobody_names_is_told_with_those_there_are(self, tmp_path):
        preset = load_preset(write(tmp_path, FIELDS | {"critic": PART}))
        with pytest.raises(PresetError) as caught:
            preset.part("diffusion")
        assert str(caught.value) == (
            "preset mine names no diffusion model; it has captioner, critic, encoder, segmenter"
        )

    @pytest.mark.parametrize("chosen", [{}, {"senses": "frequency", "features": "judge"}])
    def test_defaults_are_words_for_flags_and_no_part(self, tmp_path, chosen):
        preset = load_preset(write(tmp_path, FIELDS | {"defaults": chosen}))
        assert preset.defaults == chosen
        assert set(preset.parts) == set(PIPELINE_PARTS)

    def test_without_defaults_there_are_none(self, tmp_path):
        assert load_preset(write(tmp_path, FIELDS)).defaults == {}

    @pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe\x00", b"!!python/object:os.system x"])
    def test_files_that_are_no_yaml(self, tmp_path, content):
        path = tmp_path / "mine.yaml"
        path.write_bytes(content)
        with pytest.raises(PresetError, match="not readable as YAML"):
            load_preset(str(path))

    def test_no_such_preset_names_those_there_are(self):
        with pytest.raises(PresetError, match=r"no preset 'sd15'.*sd14.*stilllife"):
            load_preset("sd15")


class TestDocs:
    def test_the_preset_in_the_docs_is_one(self, tmp_path):
        docs = Path(__file__).parent.parent / "docs" / "full_size.md"
        (example,) = re.findall("```yaml\n(.*?)```", docs.read_text(), re.DOTALL)
        path = tmp_path / "mine.yaml"
        path.write_text(example)
        preset = load_preset(str(path))
        assert preset.captioner.location == str(tmp_path / "blip")
        assert identity(preset.segmenter) == identity(load_preset("sd14").segmenter)


class TestDescribe:
    def test_names_every_part_that_is_filled(self):
        described = load_preset("sd14").describe()
        assert set(described) == {"name", *load_preset("sd14").parts}
        part = described["segmenter"]
        assert isinstance(part, dict)
        assert spec_from(part, where="x") == load_preset("sd14").segmenter
        assert "defaults" not in described

    def test_identities_are_of_the_parts_that_are_asked_for_alone(self, tmp_path):
        """The others need not even be there."""
        gone = PART | {"location": "/nowhere/at/all"}
        here = PART | {"location": str(save_clip(tmp_path))}
        fields = dict.fromkeys(FIELDS, gone) | {"critic": here}
        preset = load_preset(write(tmp_path, fields))
        assert set(preset.identities(["critic"])) == {"critic"}
        with pytest.raises(ModelError, match="no model at /nowhere/at/all"):
            preset.identities()
        with pytest.raises(PresetError, match="names no diffusion model"):
            preset.identities(["diffusion"])

    def test_identities_follow_the_weights(self, tmp_path):
        folder = save_clip(tmp_path)
        part = PART | {"location": str(folder)}
        path = write(tmp_path, dict.fromkeys(FIELDS, part))
        before = load_preset(path).identities()
        assert set(before) == {"captioner", "encoder", "segmenter"}
        assert load_preset(path).identities() == before
        shutil.copy(__file__, folder / "model.safetensors")
        assert load_preset(path).identities()["encoder"] != before["encoder"]


def placed(fields, tmp_path, **words):
    return place_preset(load_preset(write(tmp_path, fields)), **words)


class TestPlacing:
    def test_the_cpu_leaves_everything_as_it_is(self):
        preset = load_preset("stilllife")
        assert place_preset(preset, device="cpu", dtype="float32") == preset
        assert place_preset(preset, device="cpu") == preset
        assert preset.placements(PIPELINE_PARTS) == {}

    def test_a_gpu_takes_half_precision_in_the_pipeline_alone(self):
        preset = place_preset(load_preset("stilllife"), device="cuda")
        for name in PIPELINE_PARTS:
            assert dict(preset.part(name).options) == {"device": "cuda", "dtype": "float16"}
        assert dict(preset.part("diffusion").options) == {"device": "cuda"}

    def test_auto_is_what_the_part_says_and_words_win(self, tmp_path):
        own = PART | {"options": {"device": "cuda:1", "dtype": "bfloat16"}}
        fields = FIELDS | {"encoder": own}
        assert dict(placed(fields, tmp_path).encoder.options) == own["options"]
        there = placed(fields, tmp_path, device="cpu", dtype="float32")
        assert dict(there.encoder.options) == {"device": "cpu", "dtype": "float32"}
        assert there.placements(["encoder"]) == {}

    def test_the_model_is_the_same_wherever_it_computes(self):
        preset = load_preset("stilllife")
        assert place_preset(preset, device="cuda").identities() == preset.identities()

    @pytest.mark.parametrize(
        ("options", "device", "size"),
        [
            ({}, "cpu", 32),
            ({"batch_size": 4}, "cpu", 32),
            ({"batch_size": 10}, "cpu", 40),
            ({"batch_size": 64}, "cpu", 64),
            ({"gpu_batch_size": 100}, "cuda", 100),
            ({"gpu_batch_size": 300}, "cuda", 300),
        ],
    )
    def test_a_batch_fills_the_networks(self, tmp_path, options, device, size):
        fields = FIELDS | {"encoder": PART | {"options": options}}
        preset = placed(fields, tmp_path, device=device)
        assert choose_batch_size(preset, ["encoder"]) == size

    def test_odd_words_are_refused(self):
        with pytest.raises(PresetError, match="dtype must be one of"):
            place_preset(load_preset("stilllife"), dtype="float8")
        with pytest.raises(PresetError, match="device must be"):
            place_preset(load_preset("stilllife"), device="GPU 1")
