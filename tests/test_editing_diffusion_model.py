import json
import shutil

import pytest
import torch
from fakes.diffusion import SIZE, load_tiny, save_diffusion
from safetensors.torch import load_file, save_file

from editing.diffusion.model import PromptLengthError
from transforms.models.spec import ModelError


@pytest.fixture
def model(tiny_diffusion):
    return tiny_diffusion


@pytest.fixture
def copied(editing_world, tmp_path):
    """A folder to spoil."""
    return shutil.copytree(editing_world / "model", tmp_path / "model")


def pictures(count=2):
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_a_model_says_what_sizes_it_takes(model):
    assert (model.factor, model.size_multiple, model.picture_size) == (2, 4, SIZE)
    assert model.train_steps == 1000


def test_latents_are_scaled_and_repeat(model):
    latents = model.encode(pictures())
    assert latents.shape == (2, 4, 8, 8)
    assert torch.equal(latents, model.encode(pictures()))
    raw = model.vae.encode(pictures()).latent_dist.mean
    torch.testing.assert_close(latents, raw * 0.5)


def test_decoding_undoes_the_scale_and_lets_gradients_pass(model):
    latents = model.encode(pictures()).requires_grad_()
    decoded = model.decode(latents)
    assert decoded.shape == (2, 3, SIZE, SIZE)
    torch.testing.assert_close(decoded, model.vae.decode(latents / 0.5).sample)
    decoded.sum().backward()
    assert latents.grad.abs().sum() > 0


def test_noise_comes_from_either_kind_of_network(model, tmp_path):
    other = load_tiny(save_diffusion(tmp_path, prediction_type="v_prediction"))
    z, steps = model.encode(pictures()), torch.tensor([10, 800])
    text = model.embed_texts(["a red apple", "a bus"])
    epsilon = model.predict_noise(z, steps, text)
    raw = model.unet(z, steps, encoder_hidden_states=text).sample
    torch.testing.assert_close(epsilon, raw)
    a = model.alphas_cumprod[steps].view(-1, 1, 1, 1)
    from_velocity = a.sqrt() * raw + (1 - a).sqrt() * z
    torch.testing.assert_close(other.predict_noise(z, steps, text), from_velocity)


def test_texts_are_padded_to_one_length(model):
    states = model.embed_texts(["a", "a small red apple on the bus"])
    assert states.shape == (2, 12, 16)
    torch.testing.assert_close(states[:1], model.embed_texts(["a"]))


def test_a_prompt_that_would_be_cut_is_refused(model):
    assert model.count_tokens("a red apple") == 5
    with pytest.raises(PromptLengthError, match="must have at most 12 tokens, got 14"):
        model.embed_texts(["a red apple", "a a a a a a a a a a a a"])


def test_nothing_is_trained_until_told_so(model):
    for network in model.networks().values():
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())


def test_the_scheduler_is_ddim_that_can_go_back(model):
    config = model.scheduler.config
    assert type(model.scheduler).__name__ == "DDIMScheduler"
    assert (config.clip_sample, config.set_alpha_to_one, config.steps_offset) == (False, False, 1)
    assert config.beta_schedule == "scaled_linear"


def test_what_was_saved_is_a_pipeline(model, tmp_path):
    from diffusers import DiffusionPipeline

    model.save(tmp_path)
    again = DiffusionPipeline.from_pretrained(tmp_path, safety_checker=None)
    for name, network in model.networks().items():
        for key, value in network.state_dict().items():
            assert torch.equal(getattr(again, name).state_dict()[key], value), (name, key)
    assert load_tiny(tmp_path).picture_size == SIZE


def test_a_folder_that_is_no_pipeline(tmp_path):
    with pytest.raises(ModelError, match=r"model_index\.json is missing"):
        load_tiny(tmp_path)


@pytest.mark.parametrize("part", ["unet", "vae"])
def test_missing_weights_are_no_random_numbers(copied, part):
    path = copied / part / "diffusion_pytorch_model.safetensors"
    weights = load_file(path)
    weights.pop(sorted(weights)[0])
    save_file(weights, path)
    with pytest.raises(ModelError, match="lack"):
        load_tiny(copied)


def test_damaged_weights_are_one_line(copied):
    (copied / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"spoilt")
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        load_tiny(copied)
    assert "\n" not in str(caught.value)


def test_pickles_are_not_opened(copied):
    path = copied / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(load_file(path), path.with_suffix(".bin"))
    path.unlink()
    with pytest.raises(ModelError, match="is a pickle"):
        load_tiny(copied)


def test_another_scheduler_is_taken_by_its_levels(copied):
    path = copied / "scheduler" / "scheduler_config.json"
    fields = json.loads(path.read_text()) | {"num_train_timesteps": 500}
    path.write_text(json.dumps(fields))
    assert load_tiny(copied).train_steps == 500
