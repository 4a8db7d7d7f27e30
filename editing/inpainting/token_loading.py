"""Loads a masked-token model from a folder, and refuses parts that do not fit together."""

from pathlib import Path
from typing import Any

from editing.inpainting.token_model import TokenModel
from transforms.models.files import BASE_OPTION
from transforms.models.folder import load_network, load_tokenizer, read_config
from transforms.models.spec import ModelError

FACTS = 5
"""How many numbers beside the text aMUSEd is told of a picture."""


def load_token_model(
    folder: Path, *, base: Path | None, device: str, dtype: str, variant: str = ""
) -> TokenModel:
    """The masked-token model of a folder; what it lacks is taken from the folder `base`.

    `variant` is that of `weight_files`, of the folder's own weights.

    Raises:
        ModelError: a part is missing, damaged, or does not fit the others.
    """
    from diffusers import UVit2DModel
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    places = {
        part: _find(part, folder, base) for part in ("transformer", "text_encoder", "tokenizer")
    }
    quantiser = load_quantiser(folder, base=base, device=device, variant=variant)
    _check_kind(places["transformer"], UVit2DModel)

    def network(kind: Any, part: str, dtype: str) -> Any:
        own = variant if places[part].parent == folder else ""
        return load_network(kind, places[part], device=device, dtype=dtype, variant=own)

    projected = CLIPTextModelWithProjection.__name__ in _architectures(places["text_encoder"])
    reader = CLIPTextModelWithProjection if projected else CLIPTextModel
    model = TokenModel(
        quantiser=quantiser,
        transformer=network(UVit2DModel, "transformer", dtype),
        text_encoder=network(reader, "text_encoder", dtype),
        tokenizer=load_tokenizer(places["tokenizer"]),
    )
    _check_codes(model, folder)
    _check_texts(model, folder, projected=projected)
    return model


def load_quantiser(folder: Path, *, base: Path | None, device: str, variant: str = "") -> Any:
    """The quantiser of a masked-token model, in float32: aMUSEd's gives no numbers in float16.

    Raises:
        ModelError: it is missing or damaged.
    """
    from diffusers import VQModel

    place = _find("vqvae", folder, base)
    _check_kind(place, VQModel)
    own = variant if place.parent == folder else ""
    return load_network(VQModel, place, device=device, dtype="float32", variant=own)


def read_grid_side(folder: Path, *, base: Path | None) -> int:
    """How many codes a side of the pictures has that a masked-token model was trained on.

    Raises:
        ModelError: its transformer is missing, or does not say so.
    """
    place = _find("transformer", folder, base)
    return _grid_side(read_config(place).get("sample_size"), place)


def _grid_side(side: Any, place: Path) -> int:
    if not isinstance(side, int) or side < 1:
        raise ModelError(f"{place}: sample_size must be a whole number above 0, got {side!r}")
    return side


def _check_kind(place: Path, kind: Any) -> None:
    """Make sure that a folder holds a network of diffusers' class `kind`."""
    found = read_config(place).get("_class_name")
    if found != kind.__name__:
        raise ModelError(f"{place}: holds a {found or 'nameless'} network, not {kind.__name__}")


def _find(part: str, folder: Path, base: Path | None) -> Path:
    """Where a part lies: in the folder, else in the base.

    Raises:
        ModelError: in neither.
    """
    if (folder / part).is_dir():
        return folder / part
    if base is None:
        raise ModelError(
            f"{folder}: has no {part}; the option {BASE_OPTION} can name a folder that has"
        )
    if not (base / part).is_dir():
        raise ModelError(f"{folder}: has no {part}, and neither has its {BASE_OPTION} {base}")
    return base / part


def _architectures(folder: Path) -> list[Any]:
    found = read_config(folder).get("architectures")
    return found if isinstance(found, list) else []


def _check_codes(model: TokenModel, folder: Path) -> None:
    """Make sure that the transformer tells the quantiser's codes, and those of RGB pictures."""
    quantiser, transformer = model.quantiser.config, model.transformer.config
    _grid_side(transformer.sample_size, folder)
    if (quantiser.in_channels, quantiser.out_channels) != (3, 3):
        raise ModelError(
            f"{folder}: the quantiser must take and give pictures of 3 channels, "
            f"not {quantiser.in_channels} and {quantiser.out_channels}"
        )
    if transformer.codebook_size != quantiser.num_vq_embeddings:
        raise ModelError(
            f"{folder}: the transformer knows {transformer.codebook_size} codes, "
            f"the quantiser has {quantiser.num_vq_embeddings}"
        )
    if transformer.vocab_size <= transformer.codebook_size:
        raise ModelError(
            f"{folder}: vocab_size must be above codebook_size, as a word stands for what is "
            f"hidden, got {transformer.vocab_size} and {transformer.codebook_size}"
        )


def _check_texts(model: TokenModel, folder: Path, *, projected: bool) -> None:
    """Make sure that text encoder, tokenizer and transformer fit together."""
    text, transformer = model.text_encoder.config, model.transformer.config
    if text.num_hidden_layers < 1:
        raise ModelError(
            f"{folder}: the text encoder must have a layer, got {text.num_hidden_layers}"
        )
    pooled = text.projection_dim if projected else text.hidden_size
    for what, found, wanted in (
        ("states", text.hidden_size, transformer.encoder_hidden_size),
        ("pooled text", pooled, transformer.cond_embed_dim),
        (
            "facts of a picture",
            FACTS * transformer.micro_cond_encode_dim,
            transformer.micro_cond_embed_dim,
        ),
    ):
        if found != wanted:
            raise ModelError(
                f"{folder}: the transformer takes {what} of {wanted} numbers, not {found}"
            )
    if len(model.tokenizer) > text.vocab_size:
        raise ModelError(
            f"{folder}: the tokenizer has {len(model.tokenizer)} words, "
            f"the text encoder {text.vocab_size}"
        )
