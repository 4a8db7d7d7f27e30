import numpy as np
import pytest
from safetensors.numpy import save_file

from transforms.aesthetics import AestheticHeadError, load_head


def tensor(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def save(tmp_path, **tensors):
    path = tmp_path / "head.safetensors"
    save_file({name.replace("_", "."): each for name, each in tensors.items()}, path)
    return path


def test_one_linear_layer_scores_each_embedding(tmp_path):
    weight, bias = tensor(1, 8), tensor(1)
    vectors = tensor(5, 8, seed=1)
    found = load_head(save(tmp_path, weight=weight, bias=bias)).score(vectors)
    assert found == pytest.approx((vectors @ weight.T + bias)[:, 0].tolist(), rel=1e-5)


def test_layers_are_taken_by_their_numbers_and_not_by_their_names(tmp_path):
    first, second, last = tensor(6, 8), tensor(4, 6, seed=1), tensor(1, 4, seed=2)
    path = save(
        tmp_path,
        layers_10_weight=last,
        layers_10_bias=tensor(1),
        layers_0_weight=first,
        layers_0_bias=np.zeros(6, np.float32),
        layers_2_weight=second,
        layers_2_bias=np.zeros(4, np.float32),
    )
    vectors = tensor(3, 8, seed=3)
    wanted = vectors @ first.T @ second.T @ last.T + tensor(1)
    assert load_head(path).score(vectors) == pytest.approx(wanted[:, 0].tolist(), rel=1e-4)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"weight": tensor(2, 8), "bias": tensor(2)}, "end in one score"),
        ({"weight": tensor(1, 8)}, "a matrix with a bias"),
        ({"weight": tensor(1, 8), "bias": tensor(3)}, "must follow one another"),
        ({"bias": tensor(3)}, "end in one score"),
        (
            {
                "0_weight": tensor(5, 8),
                "0_bias": tensor(5),
                "1_weight": tensor(1, 4),
                "1_bias": tensor(1),
            },
            "must follow one another",
        ),
    ],
)
def test_files_that_hold_no_head(tmp_path, tensors, said):
    with pytest.raises(AestheticHeadError, match=said):
        load_head(save(tmp_path, **tensors))


def test_a_file_that_is_no_safetensors(tmp_path):
    path = tmp_path / "head.safetensors"
    path.write_bytes(b"no tensors")
    with pytest.raises(AestheticHeadError, match="cannot be read as safetensors"):
        load_head(path)
    with pytest.raises(AestheticHeadError, match="cannot be read as safetensors"):
        load_head(tmp_path / "nowhere")


def test_embeddings_of_another_encoder(tmp_path):
    head = load_head(save(tmp_path, weight=tensor(1, 8), bias=tensor(1)))
    with pytest.raises(AestheticHeadError, match="dimension 8, got 4"):
        head.score(tensor(2, 4))
