"""A masked-token model's folder: what is taken from where, and what is refused in one line."""

import json
import shutil

import pytest
import torch
from fakes.masked_token import SIZE, load_tiny_inpainter, save_masked_token
from fakes.model_folders import clip_text_config, save_clip_tokenizer
from safetensors.torch import load_file, save_file

from editing.inpainting.inpainter import InpaintSettings
from editing.inpainting.token_decoding import Chance
from editing.parts import Parts
from transforms.models.spec import ModelError
from transforms.presets import load_preset

WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return save_masked_token(tmp_path_factory.mktemp("masked_token"))


@pytest.fixture
def folder(saved, tmp_path):
    """A folder to spoil."""
    return shutil.copytree(saved, tmp_path / "tokens")


@pytest.fixture
def base(editing_world):
    return editing_world / "model"


@pytest.fixture
def own_base(base, tmp_path):
    """A base to spoil, without what is not asked of it."""
    for part in ("text_encoder", "tokenizer"):
        shutil.copytree(base / part, tmp_path / "base" / part)
    return tmp_path / "base"


def change(folder, **fields):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def fails(folder, base, message):
    with pytest.raises(ModelError, match=message) as caught:
        load_tiny_inpainter(folder, base)
    assert "\n" not in str(caught.value)


def paint(inpainter):
    masks = torch.zeros(1, 1, SIZE, SIZE)
    masks[..., 4:12, 4:12] = 1
    return inpainter.inpaint(
        torch.zeros(1, 3, SIZE, SIZE),
        masks,
        ["a red apple"],
        [torch.Generator().manual_seed(0)],
        settings=InpaintSettings(num_inference_steps=3, guidance_scale=2.0),
    )


def test_texts_come_from_the_base(folder, own_base):
    model = load_tiny_inpainter(folder, own_base).model
    assert model.embed_texts(["a red apple", "a", "a"]).states.shape == (3, 12, 16)
    for network in (model.quantiser, model.transformer, model.text_encoder):
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())


def test_a_whole_folder_needs_no_base_and_may_project_what_it_reads(tmp_path):
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    folder = save_masked_token(tmp_path / "whole")
    text = clip_text_config(save_clip_tokenizer(folder / "tokenizer"))
    torch.manual_seed(2)
    reader = CLIPTextModelWithProjection(CLIPTextConfig(**text, projection_dim=16))
    reader.save_pretrained(folder / "text_encoder")
    inpainter = load_tiny_inpainter(folder)
    words = inpainter.model.tokenizer(
        ["a bus"], padding="max_length", max_length=12, return_tensors="pt"
    )
    found = reader.eval()(words.input_ids, output_hidden_states=True)
    texts = inpainter.model.embed_texts(["a bus"])
    torch.testing.assert_close(texts.pooled, found.text_embeds)
    torch.testing.assert_close(texts.states, found.hidden_states[-2])
    assert paint(inpainter).isfinite().all()


def test_half_precision_is_of_transformer_and_texts(folder, base):
    inpainter = load_tiny_inpainter(folder, base, dtype="bfloat16")
    model = inpainter.model
    assert model.transformer.dtype == model.text_encoder.dtype == torch.bfloat16
    assert model.quantiser.dtype == torch.float32
    assert paint(inpainter).dtype == torch.float32


def test_options_are_what_suits_the_networks(folder, base):
    options = {"strength": 0.8, "guidance_scale": 3.0, "num_inference_steps": 6}
    temperatures = {"order_temperature": 0.5, "code_temperature": 0.7}
    inpainter = load_tiny_inpainter(folder, base, **temperatures, **options)
    assert inpainter.defaults == InpaintSettings(**options)
    assert inpainter.chance == Chance(order=0.5, codes=0.7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "int8"}, "dtype must be one of float32"),
        ({"order_temperature": -1.0}, "order_temperature must be at least 0 and finite, got -1"),
        ({"order_temperature": float("nan")}, "at least 0 and finite, got nan"),
        ({"code_temperature": 0.0}, "code_temperature must be above 0 and finite, got 0"),
        ({"code_temperature": float("inf")}, "above 0 and finite, got inf"),
        ({"guidance_scale": -1.0}, "guidance_scale must be at least 0"),
        ({"guidance_scale": float("inf")}, "guidance_scale must be a finite number"),
        ({"num_inference_steps": 0}, "num_inference_steps must be at least 1"),
        ({"strength": 0.0}, r"strength must be in \(0, 1\]"),
        ({"steps": 3}, "amused has no option 'steps'"),
        ({"base": "/nowhere/at/all"}, "no model at /nowhere/at/all"),
    ],
)
def test_bad_options_are_named(folder, options, message):
    with pytest.raises(ModelError, match=message):
        load_tiny_inpainter(folder, **options)


def test_a_folder_that_is_no_pipeline(tmp_path, base):
    fails(tmp_path, base, r"model_index\.json is missing")


@pytest.mark.parametrize("part", ["vqvae", "transformer"])
def test_a_part_that_is_nowhere(folder, base, part):
    shutil.rmtree(folder / part)
    fails(folder, base, f"has no {part}, and neither has its base")


def test_a_base_is_asked_for_and_has_to_have_what_is_missing(folder, own_base):
    fails(folder, None, "has no text_encoder; the option base can name a folder that has")
    shutil.rmtree(own_base / "tokenizer")
    fails(folder, own_base, "has no tokenizer, and neither has its base")


def test_another_kind_of_network(folder, base):
    shutil.rmtree(folder / "vqvae")
    shutil.copytree(folder / "transformer", folder / "vqvae")
    fails(folder, base, "vqvae: holds a UVit2DModel network, not VQModel")
    change(folder / "vqvae", _class_name=None)
    fails(folder, base, "vqvae: holds a nameless network, not VQModel")


@pytest.mark.parametrize("text", ["{", "[]", "3", ""])
def test_a_config_that_is_none(folder, base, text):
    (folder / "transformer" / "config.json").write_text(text)
    fails(folder, base, r"config\.json: not readable as JSON")


@pytest.mark.parametrize("part", ["vqvae", "transformer"])
def test_damaged_weights(folder, base, part):
    path = folder / part / WEIGHTS
    whole = load_file(path)
    name = sorted(whole)[0]
    save_file({key: value for key, value in whole.items() if key != name}, path)
    fails(folder, base, f"{part}: the weights lack 1 tensors, such as")
    save_file(whole | {name: whole[name] * torch.nan}, path)
    fails(folder, base, f"the tensor {name} holds numbers that are not finite")
    path.write_bytes(b"spoilt")
    fails(folder, base, f"{part}: cannot be loaded")
    path.rename(path.with_suffix(".bin"))
    fails(folder, base, "is a pickle")


@pytest.mark.parametrize(
    ("part", "fields"),
    [
        ("transformer", {"num_attention_heads": 0}),
        ("transformer", {"hidden_size": "wide"}),
        ("transformer", {"block_num_heads": 3}),
        ("vqvae", {"block_out_channels": []}),
        ("vqvae", {"down_block_types": ["NoSuchBlock", "DownEncoderBlock2D"]}),
        ("vqvae", {"norm_num_groups": 3}),
    ],
)
def test_a_config_that_makes_no_network(folder, base, part, fields):
    change(folder / part, **fields)
    fails(folder, base, f"{part}: ")


@pytest.mark.parametrize("side", [0, -3, "wide", None])
def test_a_grid_without_a_side(folder, base, side):
    change(folder / "transformer", sample_size=side)
    fails(folder, base, "sample_size must be a whole number above 0, got ")


def test_a_text_encoder_without_layers_or_that_does_not_say_what_it_is(folder, own_base):
    change(own_base / "text_encoder", architectures=5)
    assert load_tiny_inpainter(folder, own_base).model.most_tokens == 12
    change(own_base / "text_encoder", num_hidden_layers=0)
    fails(folder, own_base, "the text encoder must have a layer, got 0")


def test_texts_of_another_width(tmp_path, base):
    other = save_masked_token(tmp_path, text_width=24)
    fails(other, base, "the transformer takes states of 24 numbers, not 16")


def test_facts_of_another_width(folder, base):
    change(folder / "transformer", micro_cond_encode_dim=2)
    fails(folder, base, "takes facts of a picture of 20 numbers, not 10")


def test_codes_that_do_not_fit(folder, base, tmp_path):
    from diffusers import UVit2DModel

    config = UVit2DModel.load_config(folder / "transformer")
    for fields, message in (
        ({"codebook_size": 9}, "the transformer knows 9 codes, the quantiser has 12"),
        ({"vocab_size": 12}, "vocab_size must be above codebook_size"),
    ):
        shutil.rmtree(folder / "transformer")
        UVit2DModel.from_config(config, **fields).save_pretrained(folder / "transformer")
        fails(folder, base, message)


def test_more_words_than_the_text_encoder_knows(folder, own_base):
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(own_base / "tokenizer")
    tokenizer.add_tokens(["quince"])
    tokenizer.save_pretrained(own_base / "tokenizer")
    fails(folder, own_base, "the tokenizer has .* words, the text encoder")


def test_the_presets_name_it():
    still_life = load_preset("stilllife")
    assert still_life.part("masked_token").loader == "amused"
    assert load_preset("sd14").part("masked_token").location == "amused/amused-256"
    line = Parts(preset=still_life).identities(["masked_token"])["masked_token"]
    assert "base_sha256=" in line
