"""Inpainting models: whole folders, folders of some tensors over a base, and what is refused."""

import json
import shutil

import pytest
import torch
from fakes.diffusion import save_diffusion
from safetensors.torch import load_file, save_file

from editing.inpainting.inpainter import InpaintSettings
from editing.inpainting.latent_loading import load_inpainting
from editing.inpainting.masked_sdedit import load_masked_sdedit
from editing.parts import Parts
from transforms.models.files import identity
from transforms.models.spec import ModelError, ModelSpec
from transforms.presets import Preset, load_preset

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"
OWN = ("conv_in.weight", "conv_in.bias", "conv_norm_out.weight")
"""Tensors that differ from the base's in `some`."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """`whole`, an inpainting model; `base`, the diffusion model below it; `some` of its tensors."""
    root = tmp_path_factory.mktemp("models")
    whole = save_diffusion(root / "whole", in_channels=9)
    base = save_diffusion(root / "base")
    tensors = load_file(whole / WEIGHTS)
    shared = {name: value for name, value in tensors.items() if name not in OWN}
    below = {name: load_file(base / WEIGHTS)[name] for name in OWN}
    save_file(shared | below, base / WEIGHTS, {"format": "pt"})
    for part in ("vae", "text_encoder"):
        shutil.copytree(whole / part, base / part, dirs_exist_ok=True)
    some = root / "some"
    (some / "unet").mkdir(parents=True)
    for name in ("model_index.json", "unet/config.json"):
        shutil.copy(whole / name, some / name)
    save_file({name: tensors[name] for name in OWN}, some / WEIGHTS, {"format": "pt"})
    return {"whole": whole, "base": base, "some": some}


def spec(folder, **options):
    return ModelSpec(
        loader="stable_diffusion_inpaint", location=str(folder), options=tuple(options.items())
    )


@pytest.fixture
def some(folders, tmp_path):
    """A copy of `some`, which may be spoilt."""
    return shutil.copytree(folders["some"], tmp_path / "some")


@pytest.fixture
def base(folders, tmp_path):
    """A copy of `base`, which may be spoilt."""
    return shutil.copytree(folders["base"], tmp_path / "base")


def change(folder, **changes):
    """Tensors of a folder changed; None takes one away."""
    tensors = load_file(folder / WEIGHTS)
    for name, value in changes.items():
        name = name.replace("__", ".")
        tensors.pop(name)
        if value is not None:
            tensors[name] = value
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})


def change_config(folder, **changes):
    path = folder / "unet/config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


class TestVariants:
    """Weights under another name alone, as Stable Diffusion inpainting has them on the hub."""

    @pytest.fixture
    def renamed(self, folders, tmp_path):
        """A copy of `whole` whose weights are all named as half-precision ones are."""
        folder = shutil.copytree(folders["whole"], tmp_path / "half")
        for file in folder.rglob("*.safetensors"):
            file.rename(file.with_suffix(".fp16.safetensors"))
        return folder

    def test_they_are_loaded_where_the_option_names_them(self, folders, renamed):
        found = load_inpainting(spec(renamed, variant="fp16"))
        whole = load_inpainting(spec(folders["whole"]))
        for part in ("unet", "vae", "text_encoder"):
            state = getattr(whole.model, part).state_dict()
            for name, value in getattr(found.model, part).state_dict().items():
                assert torch.equal(value, state[name]), name

    def test_without_the_option_one_line_names_it(self, renamed):
        with pytest.raises(ModelError, match="the option `variant` must be 'fp16'"):
            load_inpainting(spec(renamed))

    def test_of_some_tensors_over_a_base_they_are_the_own_ones(self, folders, some):
        weights = some / WEIGHTS
        weights.rename(weights.with_suffix(".fp16.safetensors"))
        found = load_inpainting(spec(some, base=str(folders["base"]), variant="fp16"))
        own = load_file(folders["some"] / WEIGHTS)
        state = found.model.unet.state_dict()
        assert all(torch.equal(state[name], value) for name, value in own.items())

    def test_a_variant_that_is_none(self, folders):
        with pytest.raises(ModelError, match="variant must be empty or one of fp16, non_ema"):
            load_inpainting(spec(folders["whole"], variant="int8"))


class TestMerging:
    def test_some_tensors_over_a_base_are_the_whole(self, folders, capfd):
        whole = load_inpainting(spec(folders["whole"]))
        merged = load_inpainting(spec(folders["some"], base=str(folders["base"])))
        for name, network in whole.model.networks().items():
            other = merged.model.networks()[name].state_dict()
            for tensor, value in network.state_dict().items():
                assert torch.equal(value, other[tensor]), tensor
        assert not any(p.requires_grad for p in merged.model.unet.parameters())
        assert not merged.model.unet.training
        assert capfd.readouterr().err == ""

    def test_a_folder_s_own_parts_go_before_the_base_s(self, folders, some):
        shutil.copytree(folders["whole"] / "vae", some / "vae")
        change_vae = load_file(some / "vae/diffusion_pytorch_model.safetensors")
        change_vae["quant_conv.bias"] = torch.full_like(change_vae["quant_conv.bias"], 0.5)
        save_file(change_vae, some / "vae/diffusion_pytorch_model.safetensors", {"format": "pt"})
        merged = load_inpainting(spec(some, base=str(folders["base"])))
        assert merged.model.vae.quant_conv.bias[0] == 0.5

    def test_a_precision_is_that_of_all_networks(self, folders):
        merged = load_inpainting(spec(folders["some"], base=str(folders["base"]), dtype="bfloat16"))
        assert {str(n.dtype) for n in merged.model.networks().values()} == {"torch.bfloat16"}

    def test_saved_it_is_whole(self, folders, tmp_path):
        from diffusers import StableDiffusionInpaintPipeline

        merged = load_inpainting(spec(folders["some"], base=str(folders["base"])))
        merged.save(tmp_path / "saved")
        again = load_inpainting(spec(tmp_path / "saved"))
        state = merged.model.unet.state_dict()
        assert all(torch.equal(v, state[k]) for k, v in again.model.unet.state_dict().items())
        theirs = StableDiffusionInpaintPipeline.from_pretrained(tmp_path / "saved")
        assert theirs.unet.config.in_channels == 9


class TestSettings:
    def test_the_published_models_ways_where_nobody_says_others(self, folders):
        assert load_inpainting(spec(folders["whole"])).defaults == InpaintSettings(
            strength=1.0, guidance_scale=7.5, num_inference_steps=50
        )
        assert load_masked_sdedit(spec(folders["base"])).defaults == InpaintSettings(
            strength=0.9, guidance_scale=7.5, num_inference_steps=50
        )

    @pytest.mark.parametrize("load", [load_inpainting, load_masked_sdedit])
    @pytest.mark.parametrize(
        ("options", "line"),
        [
            ({"strength": 0.0}, r"strength must be in \(0, 1\], got 0.0"),
            ({"strength": 1}, "strength must be float, got 1"),
            ({"guidance_scale": -1.0}, "guidance_scale must be at least 0, got -1.0"),
            ({"guidance_scale": float("nan")}, "guidance_scale must be at least 0, got nan"),
            ({"num_inference_steps": 0}, "num_inference_steps must be at least 1, got 0"),
            ({"dtype": "int8"}, "dtype must be one of float32, float16, bfloat16, got 'int8'"),
            ({"steps": 8}, "has no option 'steps'"),
        ],
    )
    def test_options_that_break_a_rule(self, folders, load, options, line):
        with pytest.raises(ModelError, match=line):
            load(spec(folders["whole"], **options))

    def test_a_preset_gives_them(self, folders):
        where = {"location": str(folders["base"]), "options": (("guidance_scale", 2.0),)}
        parts = Parts(
            preset=Preset(
                name="mine",
                parts={"masked_sdedit": ModelSpec(loader="masked_sdedit", **where)},
            ),
            dtype="bfloat16",
        )
        inpainter = parts.load("masked_sdedit")
        assert inpainter.defaults.guidance_scale == 2.0
        assert str(inpainter.model.unet.dtype) == "torch.bfloat16"

    @pytest.mark.parametrize("name", ["stilllife", "sd14"])
    def test_both_presets_have_both_backends(self, name):
        parts = load_preset(name).parts
        assert parts["inpainting"].loader == "stable_diffusion_inpaint"
        assert parts["masked_sdedit"].loader == "masked_sdedit"
        assert parts["masked_sdedit"].location == parts["diffusion"].location


class TestRefusals:
    def test_a_network_that_sees_no_mask(self, folders):
        with pytest.raises(ModelError) as caught:
            load_inpainting(spec(folders["base"]))
        assert str(caught.value) == (
            f"{folders['base']}/unet: a network for inpainting has 9 channels in (latent, mask, "
            "masked latent), this one has 4"
        )

    def test_one_for_inpainting_is_none_for_sdedit(self, folders):
        with pytest.raises(ModelError, match="has 9 channels in, of which 4 are its latent's"):
            load_masked_sdedit(spec(folders["whole"]))

    def test_some_tensors_alone(self, folders):
        with pytest.raises(ModelError, match=r"the part vae is missing; .* the option `base`"):
            load_inpainting(spec(folders["some"]))

    def test_a_whole_folder_that_lacks_a_tensor(self, folders, tmp_path):
        folder = shutil.copytree(folders["whole"], tmp_path / "whole")
        change(folder, conv_out__bias=None)
        with pytest.raises(ModelError, match=r"the weights lack 1 tensors, such as conv_out\.bias"):
            load_inpainting(spec(folder))

    def test_a_tensor_that_neither_has(self, some, base):
        change(base, conv_out__bias=None)
        with pytest.raises(ModelError) as caught:
            load_inpainting(spec(some, base=str(base)))
        assert str(caught.value) == (
            f"{some}/unet: the weights lack 1 tensors, such as conv_out.bias, and so do those of "
            f"its base {base}/unet"
        )

    def test_a_base_of_another_shape(self, some, base):
        change(base, conv_out__bias=torch.zeros(7))
        with pytest.raises(ModelError, match=r"conv_out.bias has the shape \(7,\), and .* \(4,\)"):
            load_inpainting(spec(some, base=str(base)))

    def test_the_wide_tensor_is_not_taken_from_the_base(self, some, base):
        change(some, conv_in__weight=None)
        with pytest.raises(ModelError, match=r"conv_in.weight has the shape \(8, 4, 3, 3\)"):
            load_inpainting(spec(some, base=str(base)))

    def test_a_tensor_the_network_has_not(self, some, base):
        change(some, conv_in__bias=None)
        tensors = load_file(some / WEIGHTS) | {"conv_on.bias": torch.zeros(8)}
        save_file(tensors, some / WEIGHTS, {"format": "pt"})
        with pytest.raises(ModelError, match=r"the network has no tensor conv_on.bias"):
            load_inpainting(spec(some, base=str(base)))

    @pytest.mark.parametrize("which", ["some", "base"])
    def test_numbers_that_are_none(self, some, base, which):
        if which == "some":
            change(some, conv_in__bias=torch.full((8,), float("nan")))
        else:
            change(base, conv_out__bias=torch.full((4,), float("inf")))
        with pytest.raises(ModelError, match=rf"{which}/{WEIGHTS}: the tensor .* not finite"):
            load_inpainting(spec(some, base=str(base)))

    @pytest.mark.parametrize(
        ("location", "line"),
        [
            ("/nowhere/at/all", "no model at /nowhere/at/all"),
            ("package:stilllife/weights/nothing", "has no such folder"),
            ("owner/name", "a hub name needs a pinned `revision`"),
        ],
    )
    def test_a_base_that_is_not_there(self, folders, location, line):
        with pytest.raises(ModelError, match=line):
            load_inpainting(spec(folders["some"], base=location))

    def test_a_base_that_is_no_pipeline(self, folders, tmp_path):
        with pytest.raises(ModelError, match=r"model_index\.json is missing"):
            load_inpainting(spec(folders["some"], base=str(tmp_path)))

    def test_a_part_that_neither_has(self, some, base):
        shutil.rmtree(base / "vae")
        with pytest.raises(ModelError, match="base/vae"):
            load_inpainting(spec(some, base=str(base)))

    @pytest.mark.parametrize(
        ("name", "line"),
        [
            ("model_index.json", "model_index.json is missing; expected a diffusers pipeline"),
            ("unet/config.json", "unet: config.json is missing or damaged"),
            (WEIGHTS, "unet: no weights"),
        ],
    )
    def test_a_missing_file(self, some, base, name, line):
        (some / name).unlink()
        with pytest.raises(ModelError, match=line):
            load_inpainting(spec(some, base=str(base)))

    def test_damaged_weights(self, some, base):
        (some / WEIGHTS).write_bytes(b"x" * 50)
        with pytest.raises(ModelError, match=f"{WEIGHTS}: cannot be read"):
            load_inpainting(spec(some, base=str(base)))

    @pytest.mark.parametrize(
        "changes",
        [{"block_out_channels": [8]}, {"down_block_types": ["Nothing"]}, {"norm_num_groups": 3}],
    )
    def test_a_config_of_no_network(self, some, base, changes):
        change_config(some, **changes)
        with pytest.raises(ModelError, match=r"config\.json is that of no network"):
            load_inpainting(spec(some, base=str(base)))

    @pytest.mark.parametrize("value", ["nine", None, [9]])
    def test_channels_that_are_no_number(self, some, base, value):
        change_config(some, in_channels=value)
        with pytest.raises(ModelError, match="in_channels must be a whole number"):
            load_inpainting(spec(some, base=str(base)))


class TestIdentity:
    def test_it_says_what_both_folders_hold(self, folders, some, base):
        first = identity(spec(some, base=str(base)))
        assert first == identity(spec(some, base=str(base), device="cuda"))
        change(base, conv_out__bias=torch.ones(4))
        second = identity(spec(some, base=str(base)))
        change(some, conv_in__bias=torch.ones(8))
        third = identity(spec(some, base=str(base)))
        assert len({first, second, third}) == 3

    def test_where_a_base_lies_changes_nothing(self, folders, base):
        moved = identity(spec(folders["some"], base=str(base)))
        assert moved == identity(spec(folders["some"], base=str(folders["base"])))

    @pytest.mark.parametrize("loader", ["stable_diffusion_inpaint", "masked_sdedit"])
    def test_of_the_hub_a_pipeline_s_parts_are_fetched(self, loader, monkeypatch, tmp_path):
        asked = {}

        def snapshot(name, **how):
            asked.update(how)
            return str(tmp_path)

        monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
        load = {"stable_diffusion_inpaint": load_inpainting}.get(loader, load_masked_sdedit)
        with pytest.raises(ModelError, match=r"model_index\.json is missing"):
            load(ModelSpec(loader=loader, location="owner/name", revision="0" * 40))
        assert "unet/*.safetensors" in asked["allow_patterns"]
        assert "*.fp16.safetensors" in asked["ignore_patterns"]
