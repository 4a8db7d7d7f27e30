import json

import numpy as np
import pytest
from fakes.index import unit_vectors
from safetensors.numpy import load_file, save_file

from transforms.models.adaptation_heads import (
    CONFIG,
    WEIGHTS,
    AdaptationHeads,
    load_heads,
    save_heads,
)
from transforms.models.files import identity
from transforms.models.spec import ModelError, ModelSpec


def draw_heads(dimension=6, width=4, seed=0, encoder="clip one"):
    rng = np.random.default_rng(seed)
    arrays = {
        f"{name}_{kind}": rng.normal(size=size).astype(np.float32)
        for name in ("image", "text")
        for kind, size in (("weight", (width, dimension)), ("bias", width))
    }
    return AdaptationHeads(**arrays, encoder=encoder, about={"temperature": 0.1})


@pytest.fixture
def folder(tmp_path):
    save_heads(draw_heads(), tmp_path / "heads")
    return tmp_path / "heads"


def spec(folder):
    return ModelSpec(loader="adaptation_heads", location=str(folder))


def test_what_was_saved_is_loaded(folder):
    heads, loaded = draw_heads(), load_heads(spec(folder))
    assert np.array_equal(loaded.image_weight, heads.image_weight)
    assert np.array_equal(loaded.text_bias, heads.text_bias)
    assert (loaded.encoder, dict(loaded.about)) == ("clip one", {"temperature": 0.1})
    assert (loaded.dimension, loaded.width) == (6, 4)


def test_heads_are_told_apart_by_their_content(folder, tmp_path):
    save_heads(draw_heads(), tmp_path / "again" / "heads")
    save_heads(draw_heads(seed=1), tmp_path / "other" / "heads")
    names = [identity(spec(tmp_path / each)) for each in ("again/heads", "other/heads")]
    assert identity(spec(folder)) == names[0] != names[1]
    assert names[0].startswith("adaptation_heads heads sha256=")


def test_they_are_affine_and_give_unit_vectors():
    heads, vectors = draw_heads(), unit_vectors(3, dimension=6)
    for given, weight, bias in (
        (heads.adapt_images(vectors), heads.image_weight, heads.image_bias),
        (heads.adapt_texts(vectors), heads.text_weight, heads.text_bias),
    ):
        wanted = vectors @ weight.T + bias
        assert np.allclose(given, wanted / np.linalg.norm(wanted, axis=1, keepdims=True), atol=1e-5)


def test_a_row_does_not_depend_on_those_beside_it():
    heads, vectors = draw_heads(dimension=64, width=64), unit_vectors(50, dimension=64)
    alone = np.concatenate([heads.adapt_images(row[None]) for row in vectors])
    assert np.array_equal(heads.adapt_images(vectors), alone)


def test_a_query_unfolded_orders_pictures_as_the_heads_do_but_for_their_lengths():
    heads, vectors = draw_heads(), unit_vectors(40, dimension=6)
    query = unit_vectors(1, dimension=4)
    there = (vectors @ heads.image_weight.T + heads.image_bias) @ query[0]
    here = vectors @ heads.unfold(query)[0]
    assert np.array_equal(np.argsort(there), np.argsort(here))


def test_another_encoder_is_refused():
    draw_heads().require_encoder("clip one")
    with pytest.raises(ModelError, match="trained over the encoder clip one, not clip two"):
        draw_heads().require_encoder("clip two")


def change_tensor(folder, name, value):
    state = load_file(str(folder / WEIGHTS))
    state[name] = value
    save_file(state, str(folder / WEIGHTS))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("image_bias", np.zeros(3, np.float32), r"image_bias must have shape \(4,\), got \(3,\)"),
        ("text_weight", np.zeros((4, 5), np.float32), "text_weight must have shape"),
        ("text_bias", np.full(4, np.nan, np.float32), "text_bias holds numbers that are not fin"),
        ("image_weight", np.zeros(4, np.float32), "must have two dimensions"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(folder, name, value, message):
    change_tensor(folder, name, value)
    with pytest.raises(ModelError, match=message):
        load_heads(spec(folder))


def test_a_missing_tensor_is_named(folder):
    state = load_file(str(folder / WEIGHTS))
    del state["text_bias"]
    save_file(state, str(folder / WEIGHTS))
    with pytest.raises(ModelError, match="lacks the tensor text_bias"):
        load_heads(spec(folder))


def test_damage_is_one_line(folder):
    (folder / WEIGHTS).write_bytes(b"no tensors")
    with pytest.raises(ModelError, match=r"cannot be loaded \(SafetensorError\)"):
        load_heads(spec(folder))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "clip"}, "holds a clip network, not adaptation_heads"),
        ({"encoder": 7}, "must name the encoder, got 7"),
    ],
)
def test_a_config_that_is_another_s_is_refused(folder, change, message):
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(config | change))
    with pytest.raises(ModelError, match=message):
        load_heads(spec(folder))


def test_no_folder_is_one_line(tmp_path):
    with pytest.raises(ModelError, match="no model at"):
        load_heads(spec(tmp_path / "nowhere"))
