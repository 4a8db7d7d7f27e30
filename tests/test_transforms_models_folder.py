"""Model folders that are damaged, incomplete or of the wrong kind."""

import json

import pytest
from fakes.model_folders import copy_folder, network_spec

from transforms.models.loading import (
    load_captioner,
    load_encoder,
    load_segmenter,
)
from transforms.models.spec import ModelError


class TestBadFolders:
    @pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "preprocessor_config.json"])
    def test_a_missing_file_is_named(self, network_folders, tmp_path, name):
        folder = copy_folder(network_folders["clip"], tmp_path)
        (folder / name).unlink()
        with pytest.raises(ModelError, match=f"{name} is missing"):
            load_encoder(network_spec("clip", folder))

    def test_missing_weights_are_named(self, network_folders, tmp_path):
        folder = copy_folder(network_folders["clip"], tmp_path)
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
        with pytest.raises(ModelError, match=r"pytorch_model\.bin is a pickle"):
            load_encoder(network_spec("clip", folder))

    def test_another_architecture_is_named(self, network_folders):
        with pytest.raises(ModelError, match="holds a blip network, not clip"):
            load_encoder(network_spec("clip", network_folders["blip"]))

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_weights_that_are_not_finite_are_named_with_their_file(
        self, network_folders, tmp_path, value
    ):
        from safetensors.torch import load_file, save_file

        folder = copy_folder(network_folders["clip"], tmp_path)
        tensors = load_file(folder / "model.safetensors")
        tensors["visual_projection.weight"][0, 0] = value
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(ModelError) as caught:
            load_encoder(network_spec("clip", folder))
        assert str(caught.value) == (
            f"{folder}/model.safetensors: the tensor visual_projection.weight holds numbers that "
            "are not finite"
        )

    def test_weights_that_lack_a_tensor_are_refused(self, network_folders, tmp_path):
        from safetensors.torch import load_file, save_file

        folder = copy_folder(network_folders["clip"], tmp_path)
        tensors = load_file(folder / "model.safetensors")
        del tensors["visual_projection.weight"]
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(ModelError, match=r"lack 1 tensors, such as visual_projection\.weight"):
            load_encoder(network_spec("clip", folder))

    def test_weights_of_another_shape_are_refused(self, network_folders, tmp_path):
        folder = copy_folder(network_folders["clip"], tmp_path)
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"projection_dim": 6}))
        with pytest.raises(ModelError, match="cannot be loaded"):
            load_encoder(network_spec("clip", folder))

    @pytest.mark.parametrize("loader", ["blip", "clip", "clipseg", "open_clip"])
    def test_half_a_weights_file_is_refused(self, network_folders, tmp_path, loader):
        folder = copy_folder(network_folders[loader], tmp_path)
        (weights,) = folder.glob("*.safetensors")
        weights.write_bytes(weights.read_bytes()[:1000])
        load = {"blip": load_captioner, "clipseg": load_segmenter}.get(loader, load_encoder)
        with pytest.raises(ModelError, match=f"{folder}.*(cannot be loaded|does not fit)"):
            load(network_spec(loader, folder))

    @pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
    def test_a_damaged_file_is_named(self, network_folders, tmp_path, name):
        folder = copy_folder(network_folders["clip"], tmp_path)
        (folder / name).write_text("{")
        with pytest.raises(ModelError, match=r"not readable as JSON|tokenizer cannot be loaded"):
            load_encoder(network_spec("clip", folder))

    def test_open_clip_folders(self, network_folders, tmp_path):
        folder = copy_folder(network_folders["open_clip"], tmp_path)
        config = folder / "open_clip_config.json"
        whole = json.loads(config.read_text())
        with pytest.raises(ModelError, match="brings its own"):
            load_encoder(network_spec("open_clip", folder, architecture="ViT-B-32"))
        file = folder / "open_clip_model.safetensors"
        with pytest.raises(ModelError, match="no such architecture"):
            load_encoder(network_spec("open_clip", file, architecture="ViT-nonsense"))
        config.write_text(json.dumps(whole | {"preprocess_cfg": {"resize_mode": "longest"}}))
        with pytest.raises(ModelError, match="cannot preprocess with resize_mode 'longest'"):
            load_encoder(network_spec("open_clip", folder))
        config.write_text(json.dumps({"model_cfg": whole["model_cfg"] | {"embed_dim": 4}}))
        with pytest.raises(ModelError, match="does not fit the architecture"):
            load_encoder(network_spec("open_clip", folder))
        config.write_text("{}")
        with pytest.raises(ModelError, match="`model_cfg` is missing"):
            load_encoder(network_spec("open_clip", folder))
        config.unlink()
        with pytest.raises(ModelError, match=r"open_clip_config\.json is missing"):
            load_encoder(network_spec("open_clip", folder))

    def test_a_device_that_is_not_there(self, network_folders):
        with pytest.raises(ModelError, match="device 'nonsense' cannot be used here"):
            load_encoder(network_spec("clip", network_folders["clip"], device="nonsense"))

    def test_a_loader_that_does_not_play_the_part(self, network_folders):
        with pytest.raises(ModelError, match="no encoder loader 'blip'; there are clip, open_clip"):
            load_encoder(network_spec("blip", network_folders["blip"]))

    @pytest.mark.parametrize("loader", ["blip", "clip", "clipseg", "open_clip"])
    def test_errors_are_one_line(self, tmp_path, loader):
        load = {"blip": load_captioner, "clipseg": load_segmenter}.get(loader, load_encoder)
        with pytest.raises(ModelError) as caught:
            load(network_spec(loader, tmp_path))
        assert "\n" not in str(caught.value)
        assert str(tmp_path) in str(caught.value)
