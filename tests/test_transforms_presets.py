"""Presets: the built-in ones, one's own, and everything that may be wrong with a file."""

import re
import shutil
from pathlib import Path

import pytest
import yaml
from fakes.model_folders import save_clip

from transforms.models.loading import CAPTIONERS, ENCODERS, SEGMENTERS, load_encoder
from transforms.models.spec import identity, spec_from
from transforms.presets import PART_NAMES, PresetError, built_in_presets, load_preset

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
        assert preset.inpainting is None
        assert load_encoder(preset.encoder).encode_texts(["a bus"]).shape == (1, 8)

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            (FIELDS | {"critic": PART}, "unknown part 'critic'; allowed are captioner"),
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
        assert "name" not in PART_NAMES

    def test_identities_follow_the_weights(self, tmp_path):
        folder = save_clip(tmp_path)
        part = PART | {"location": str(folder)}
        path = write(tmp_path, dict.fromkeys(FIELDS, part))
        before = load_preset(path).identities()
        assert set(before) == {"captioner", "encoder", "segmenter"}
        assert load_preset(path).identities() == before
        shutil.copy(__file__, folder / "model.safetensors")
        assert load_preset(path).identities()["encoder"] != before["encoder"]
