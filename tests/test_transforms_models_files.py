"""Where models lie, which of their files are read, and what tells two apart."""

import re
import sys

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError
from huggingface_hub.utils import filter_repo_objects

from transforms.models.files import identity, locate, weight_files
from transforms.models.spec import ModelError, ModelSpec

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def spec(location: str, revision: str | None = None, **options) -> ModelSpec:
    return ModelSpec(
        loader="clip", location=location, revision=revision, options=tuple(options.items())
    )


def watch_fetch(monkeypatch, tmp_path, there):
    """A list to which a download adds what it takes of `there`, the files of a repository."""
    fetched = []

    def fetch(name, **patterns):
        patterns.pop("revision")
        fetched.extend(filter_repo_objects(there, **patterns))
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    return fetched


class TestLocate:
    def test_a_local_folder(self, tmp_path):
        assert locate(spec(str(tmp_path))) == tmp_path

    @pytest.mark.parametrize("location", ["/no/such/folder", "./none", "~/none/at/all", "a/b/c"])
    def test_nothing_there(self, location):
        with pytest.raises(ModelError, match=f"no model at {location}"):
            locate(spec(location))

    def test_a_folder_in_a_package_is_found_without_importing_it(self, tmp_path, monkeypatch):
        weights = tmp_path / "bring_no_code" / "weights" / "clip"
        weights.mkdir(parents=True)
        (tmp_path / "bring_no_code" / "__init__.py").write_text("raise RuntimeError")
        monkeypatch.syspath_prepend(tmp_path)
        assert locate(spec("package:bring_no_code/weights/clip")) == weights
        assert "bring_no_code" not in sys.modules

    @pytest.mark.parametrize(
        "location", ["package:no_such_package/x", "package:json/x", "package:"]
    )
    def test_no_such_folder_in_a_package(self, location):
        with pytest.raises(ModelError, match=f"no model at {location}"):
            locate(spec(location))

    def test_a_hub_name_needs_a_revision(self):
        with pytest.raises(ModelError, match="a/b: a hub name needs a pinned `revision`"):
            locate(spec("a/b"))

    @pytest.mark.parametrize("location", ["a/b", "hf-hub:a/b"])
    def test_a_hub_name_is_fetched_at_its_revision_and_without_pickles(
        self, location, monkeypatch, tmp_path
    ):
        asked = []

        def fetch(name, *, revision, allow_patterns, ignore_patterns):
            asked.append((name, revision, allow_patterns))
            return str(tmp_path)

        monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
        assert locate(spec(location, COMMIT)) == tmp_path
        assert asked == [("a/b", COMMIT, ["*.json", "*.txt", "*.safetensors"])]

    def test_of_a_pipeline_only_what_is_loaded_is_fetched(self, monkeypatch, tmp_path):
        there = [
            "model_index.json",
            "README.md",
            "v1-4.ckpt",
            "v1-4.safetensors",
            "safety_checker/config.json",
            "safety_checker/model.safetensors",
            "feature_extractor/preprocessor_config.json",
            "scheduler/scheduler_config.json",
            "text_encoder/config.json",
            "text_encoder/model.safetensors",
            "text_encoder/model.fp16.safetensors",
            "text_encoder/pytorch_model.bin",
            "tokenizer/merges.txt",
            "tokenizer/vocab.json",
            "unet/config.json",
            "unet/diffusion_pytorch_model.safetensors",
            "unet/diffusion_pytorch_model.non_ema.safetensors",
            "vae/config.json",
            "vae/diffusion_pytorch_model.safetensors",
            "vae/diffusion_pytorch_model.bin",
        ]
        fetched = watch_fetch(monkeypatch, tmp_path, there)
        locate(ModelSpec(loader="stable_diffusion", location="a/b", revision=COMMIT))
        weights = "diffusion_pytorch_model.safetensors"
        assert sorted(fetched) == [
            "model_index.json",
            "scheduler/scheduler_config.json",
            "text_encoder/config.json",
            "text_encoder/model.safetensors",
            "tokenizer/merges.txt",
            "tokenizer/vocab.json",
            "unet/config.json",
            f"unet/{weights}",
            "vae/config.json",
            f"vae/{weights}",
        ]

    def test_of_a_masked_token_pipeline_what_is_loaded_is_fetched(self, tmp_path, monkeypatch):
        parts = ("vqvae", "transformer", "text_encoder", "tokenizer", "scheduler", "assets")
        there = [f"{part}/{name}" for part in parts for name in ("a.json", "a.safetensors")]
        there += ["transformer/a.fp16.safetensors", "model_index.json", "README.md"]
        fetched = watch_fetch(monkeypatch, tmp_path, there)
        locate(ModelSpec(loader="amused", location="a/b", revision=COMMIT))
        left_out = {"assets/a.json", "assets/a.safetensors", "transformer/a.fp16.safetensors"}
        assert set(fetched) == set(there) - left_out - {"README.md"}

    def test_of_a_variant_its_weights_alone_are_fetched(self, tmp_path, monkeypatch):
        kinds = ("a.json", "a.safetensors", "a.fp16.safetensors", "a.non_ema.safetensors")
        there = [f"{part}/{name}" for part in ("unet", "tokenizer") for name in kinds]
        fetched = watch_fetch(monkeypatch, tmp_path, [*there, "model_index.json"])
        options = (("variant", "fp16"),)
        locate(
            ModelSpec(
                loader="stable_diffusion_inpaint", location="a/b", revision=COMMIT, options=options
            )
        )
        names = ("a.json", "a.fp16.safetensors")
        wanted = {f"{part}/{name}" for part in ("unet", "tokenizer") for name in names}
        assert set(fetched) == {*wanted, "model_index.json"}

    def test_an_unreachable_hub_names_the_model_and_the_way_out(self, monkeypatch):
        def fetch(name, **_):
            raise LocalEntryNotFoundError("many\nlines")

        monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
        with pytest.raises(ModelError) as caught:
            locate(spec("a/b", COMMIT))
        assert str(caught.value) == (
            f"cannot fetch a/b at {COMMIT} from the hub (LocalEntryNotFoundError); "
            "download it elsewhere and give the local folder as the location"
        )


class TestWeights:
    def test_safetensors_are_found_even_beside_a_pickle(self, tmp_path):
        (tmp_path / "pytorch_model.bin").touch()
        (tmp_path / "model.safetensors").touch()
        assert weight_files(tmp_path) == [tmp_path / "model.safetensors"]

    @pytest.mark.parametrize("name", ["pytorch_model.bin", "clip.pt", "v1.ckpt"])
    def test_a_pickle_is_refused(self, tmp_path, name):
        (tmp_path / name).touch()
        with pytest.raises(ModelError, match=f"{name} is a pickle"):
            weight_files(tmp_path)
        with pytest.raises(ModelError, match=r"must be a \.safetensors file"):
            weight_files(tmp_path / name)

    def test_nothing_there(self, tmp_path):
        with pytest.raises(ModelError, match=r"no weights, expected model\.safetensors"):
            weight_files(tmp_path)
        with pytest.raises(ModelError, match="no model folder"):
            weight_files(tmp_path / "none")

    def test_a_variant_is_asked_for_by_name(self, tmp_path):
        for name in ("model.safetensors", "model.fp16.safetensors", "model.non_ema.safetensors"):
            (tmp_path / name).touch()
        assert weight_files(tmp_path) == [tmp_path / "model.safetensors"]
        assert weight_files(tmp_path, "fp16") == [tmp_path / "model.fp16.safetensors"]

    @pytest.mark.parametrize(("there", "asked"), [("fp16", ""), ("", "fp16"), ("non_ema", "fp16")])
    def test_what_is_there_under_another_name_is_told(self, there, asked, tmp_path):
        (tmp_path / f"model{'.' if there else ''}{there}.safetensors").touch()
        with pytest.raises(ModelError) as caught:
            weight_files(tmp_path, asked)
        wanted, found = (f"*{'.' if each else ''}{each}.safetensors" for each in (asked, there))
        assert str(caught.value) == (
            f"{tmp_path}: no weights named {wanted}, but {found}; for these the option `variant` "
            f"must be {there!r}"
        )


class TestIdentity:
    def test_of_a_variant_follows_its_files(self, tmp_path):
        for name in ("unet/a.safetensors", "unet/a.fp16.safetensors", "model_index.json"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("1")
        usual, half = identity(spec(str(tmp_path))), identity(spec(str(tmp_path), variant="fp16"))
        (tmp_path / "unet/a.fp16.safetensors").write_text("2")
        assert identity(spec(str(tmp_path))) == usual
        assert identity(spec(str(tmp_path), variant="fp16")) != half

    def test_of_a_folder_follows_its_files(self, tmp_path):
        (tmp_path / "model.safetensors").write_bytes(b"1")
        one = identity(spec(str(tmp_path), num_beams=3))
        assert re.fullmatch(f"clip {tmp_path.name} sha256=[0-9a-f]{{64}} num_beams=3", one)
        assert identity(spec(str(tmp_path), num_beams=3)) == one
        assert identity(spec(str(tmp_path), num_beams=4)) != one
        (tmp_path / "README.md").touch()
        assert identity(spec(str(tmp_path), num_beams=3)) == one
        (tmp_path / "config.json").touch()
        other = identity(spec(str(tmp_path), num_beams=3))
        assert other != one
        (tmp_path / "model.safetensors").write_bytes(b"2")
        assert identity(spec(str(tmp_path), num_beams=3)) not in (one, other)

    def test_of_a_pipeline_is_that_of_what_is_loaded(self, tmp_path):
        for name in ("unet/model.safetensors", "scheduler/config.json", "model_index.json"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("1")
        one = identity(spec(str(tmp_path)))
        (tmp_path / "safety_checker").mkdir()
        for name in ("safety_checker/model.safetensors", "unet/model.fp16.safetensors"):
            (tmp_path / name).write_text("2")
        assert identity(spec(str(tmp_path))) == one
        (tmp_path / "scheduler/config.json").write_text("2")
        assert identity(spec(str(tmp_path))) != one

    @pytest.mark.parametrize("part", ["vqvae", "transformer"])
    def test_of_a_masked_token_pipeline_follows_its_networks(self, tmp_path, part):
        (tmp_path / part).mkdir()
        (tmp_path / part / "model.safetensors").write_text("1")
        (tmp_path / "model_index.json").write_text("1")
        one = identity(spec(str(tmp_path)))
        (tmp_path / part / "model.safetensors").write_text("2")
        assert identity(spec(str(tmp_path))) != one

    def test_a_base_counts_by_what_it_holds_not_by_where_it_lies(self, tmp_path):
        (tmp_path / "model.safetensors").touch()
        for name in ("one", "other"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "model.safetensors").write_text("1")
        one, other = (
            identity(spec(str(tmp_path), base=str(tmp_path / name))) for name in ("one", "other")
        )
        assert one == other
        (tmp_path / "other" / "model.safetensors").write_text("2")
        assert identity(spec(str(tmp_path), base=str(tmp_path / "other"))) != one

    def test_how_to_compute_is_left_out(self, tmp_path):
        (tmp_path / "model.safetensors").touch()
        plain = identity(spec(str(tmp_path)))
        assert identity(spec(str(tmp_path), batch_size=4, device="cuda")) == plain

    def test_of_a_hub_name_is_its_commit_and_needs_no_download(self):
        assert identity(spec("hf-hub:a/b", COMMIT)) == f"clip a/b revision={COMMIT}"
        assert identity(spec("a/b", COMMIT)) == f"clip a/b revision={COMMIT}"
