"""Backbones: attention of the CLS token and features, patch by patch, of DINO and of CLIP."""

import json

import pytest
import torch
from fakes.model_folders import SIZE, copy_folder

from editing.errors import NotFiniteError
from editing.features import backbone as backbone_module
from editing.features.backbone import Backbone, BackboneOutput
from editing.features.backbone_loaders import BACKBONES, load_backbone
from editing.parts import Parts
from stilllife.recipes.collection import collect, to_input
from stilllife.scene import Mix
from transforms.models.spec import ModelError, ModelSpec
from transforms.presets import load_preset

FOLDERS = {"dino": "dino", "clip_attention": "clip"}
"""Whose folder each loader reads."""


def spec(loader, folder, **options):
    return ModelSpec(loader=loader, location=str(folder), options=tuple(options.items()))


@pytest.fixture(params=BACKBONES)
def backbone(request, network_folders):
    return load_backbone(spec(request.param, network_folders[FOLDERS[request.param]]))


def pictures(count=2, size=(SIZE, SIZE), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, *size, generator=generator) * 2 - 1


class TestOutput:
    def test_a_grid_of_patches(self, backbone):
        assert isinstance(backbone, Backbone)
        assert (backbone.picture_size, backbone.patch_size) == (SIZE, 8)
        found = backbone(pictures())
        assert found.attention.shape == (2, 4, 4)
        assert found.features.shape == (2, 16, 4, 4)
        assert (found.attention >= 0).all()
        # The CLS token looks at itself too.
        assert (found.attention.flatten(1).sum(1) < 1).all()

    def test_it_is_the_last_layer_s_row_of_the_cls_token(self, network_folders):
        from transformers import ViTModel

        network = ViTModel.from_pretrained(
            network_folders["dino"], add_pooling_layer=False, attn_implementation="eager"
        ).eval()
        found = load_backbone(spec("dino", network_folders["dino"]))(pictures())
        # Mean and deviation of the folder's processor are one half: a picture is fed as it is.
        with torch.no_grad():
            wanted = network(pixel_values=pictures(), output_attentions=True)
        rows = wanted.attentions[-1][:, :, 0, 1:].mean(1)
        torch.testing.assert_close(found.attention.flatten(1), rows)
        token = wanted.last_hidden_state[1, 1 + 4 * 2 + 3]  # patch in row 2, column 3
        torch.testing.assert_close(found.features[1, :, 2, 3], token)

    def test_pictures_are_normalised_by_the_folder_s_mean_and_deviation(
        self, network_folders, tmp_path
    ):
        folder = copy_folder(network_folders["dino"], tmp_path)
        path = folder / "preprocessor_config.json"
        fields = json.loads(path.read_text()) | {"image_mean": [0, 0, 0], "image_std": [1, 1, 1]}
        path.write_text(json.dumps(fields))
        other = load_backbone(spec("dino", folder))(pictures())
        same = load_backbone(spec("dino", network_folders["dino"]))((pictures() + 1) / 2)
        torch.testing.assert_close(other.features, same.features, atol=1e-5, rtol=1e-4)

    @pytest.mark.parametrize(
        ("size", "grid"),
        [((32, 32), (4, 4)), ((96, 96), (4, 4)), ((32, 64), (4, 8)), ((70, 31), (9, 4))],
    )
    def test_the_grid_follows_the_aspect_not_the_size(self, backbone, size, grid):
        assert backbone(pictures(size=size)).attention.shape[1:] == grid

    def test_a_strip_costs_no_more_than_four_squares(self, backbone):
        assert backbone(pictures(1, size=(8, 2000))).attention.shape[1:] == (1, 16)

    def test_a_finer_grid_on_demand(self, network_folders):
        fine = load_backbone(spec("dino", network_folders["dino"], picture_size=64))
        assert fine.picture_size == 64
        assert fine(pictures()).attention.shape == (2, 8, 8)

    def test_a_row_does_not_depend_on_those_beside_it(self, backbone):
        some = pictures(3)
        together, alone = backbone(some), backbone(some[1:2])
        torch.testing.assert_close(together.attention[1:2], alone.attention)
        torch.testing.assert_close(together.features[1:2], alone.features)

    def test_many_are_looked_at_a_few_at_a_time(self, backbone, monkeypatch):
        whole = backbone(pictures(5))
        monkeypatch.setattr(backbone_module, "MOST_ATTENTION", 1)
        apart = backbone(pictures(5))
        torch.testing.assert_close(whole.attention, apart.attention)

    def test_features_can_be_trained_on_and_bring_no_gradients(self, backbone):
        found = backbone(pictures().requires_grad_())
        assert not found.features.requires_grad
        weight = torch.ones(16, requires_grad=True)
        torch.einsum("bdhw,d->b", found.features, weight).sum().backward()
        assert weight.grad.abs().sum() > 0

    def test_a_broken_picture_is_named(self, backbone):
        broken = pictures(3)
        broken[1] = float("nan")
        with pytest.raises(NotFiniteError) as caught:
            backbone(broken)
        assert caught.value.places == (1,)


class TestLoading:
    def test_a_loader_that_is_none(self):
        with pytest.raises(ModelError, match="no backbone loader 'clip'; there are dino, clip_att"):
            load_backbone(ModelSpec(loader="clip", location="x"))

    @pytest.mark.parametrize(
        ("loader", "other", "line"),
        [
            ("dino", "clip", "holds a clip network, not vit"),
            ("dino", "blip", "holds a blip network, not vit"),
            ("clip_attention", "dino", "holds a vit network, not clip"),
            ("clip_attention", "clipseg", "holds a clipseg network, not clip"),
        ],
    )
    def test_a_folder_of_another_kind(self, network_folders, loader, other, line):
        with pytest.raises(ModelError, match=line):
            load_backbone(spec(loader, network_folders[other]))

    @pytest.mark.parametrize("loader", BACKBONES)
    @pytest.mark.parametrize(
        ("name", "line"),
        [
            ("config.json", "config.json is missing"),
            ("preprocessor_config.json", "preprocessor_config.json is missing"),
            ("model.safetensors", "no weights, expected model.safetensors"),
        ],
    )
    def test_a_missing_file(self, network_folders, tmp_path, loader, name, line):
        folder = copy_folder(network_folders[FOLDERS[loader]], tmp_path)
        (folder / name).unlink()
        with pytest.raises(ModelError, match=line):
            load_backbone(spec(loader, folder))

    @pytest.mark.parametrize(
        ("side", "line"),
        [
            (-8, "picture_size must be at least 0, got -8"),
            (4, "picture_size must be a multiple of 8, got 4"),
            (36, "picture_size must be a multiple of 8, got 36"),
            ("32", "picture_size must be int, got '32'"),
        ],
    )
    def test_a_side_that_is_no_number_of_patches(self, network_folders, side, line):
        with pytest.raises(ModelError, match=line):
            load_backbone(spec("dino", network_folders["dino"], picture_size=side))

    @pytest.mark.parametrize("loader", BACKBONES)
    def test_weights_that_are_no_numbers(self, network_folders, tmp_path, loader):
        from safetensors.torch import load_file, save_file

        folder = copy_folder(network_folders[FOLDERS[loader]], tmp_path)
        tensors = load_file(folder / "model.safetensors")
        name = next(each for each in tensors if each.endswith("patch_embedding.weight")
                    or each.endswith("patch_embeddings.projection.weight"))  # fmt: skip
        tensors[name][0] = float("nan")
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(ModelError, match=f"the tensor {name} holds numbers that are not"):
            load_backbone(spec(loader, folder))

    def test_nothing_is_said_while_the_shipped_one_loads(self, capfd):
        load_backbone(load_preset("stilllife").part("backbone"))
        assert capfd.readouterr() == ("", "")


class TestPresets:
    @pytest.mark.parametrize("name", ["stilllife", "sd14"])
    def test_they_name_a_backbone_with_a_loader(self, name):
        assert load_preset(name).part("backbone").loader in BACKBONES

    def test_the_still_life_s_first_anchor_is_on_the_thing(self):
        scenes = collect(4321, 60, Mix(0.0, held_out=True))
        backbone = Parts(preset=load_preset("stilllife")).load("backbone")
        found: BackboneOutput = backbone(to_input(scenes.pixels))
        assert found.attention.shape == (60, 8, 8)
        first = found.attention.flatten(1).argmax(1)
        on_thing = torch.nn.functional.avg_pool2d(
            torch.from_numpy(scenes.regions > 0).float().unsqueeze(1), 8
        ).flatten(1)
        share = on_thing.gather(1, first[:, None])
        assert (share >= 0.25).float().mean() >= 0.95
