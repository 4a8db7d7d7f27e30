"""Loads a Hugging Face network and tokenizer from one local folder, and refuses what does not fit.

Parts that are missing from the weights would be filled with random numbers and a log line by the
library; here that is an error.
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transforms.models.devices import Placement, own_device, repeat_exactly
from transforms.models.files import weight_files
from transforms.models.spec import ModelError

if TYPE_CHECKING:
    import torch


def check_folder(folder: Path, *, model_type: str) -> None:
    """See that `folder` holds a config of the wanted kind and safetensors.

    Raises:
        ModelError: naming the first thing that is wrong.
    """
    found = read_config(folder).get("model_type")
    if found != model_type:
        raise ModelError(f"{folder}: holds a {found or 'nameless'} network, not {model_type}")
    weight_files(folder)


def read_config(folder: Path) -> dict[str, Any]:
    """What the config.json of a network's folder says.

    Raises:
        ModelError: there is no such folder or file, or it is not readable.
    """
    if not folder.is_dir():
        raise ModelError(f"no model folder {folder}")
    config = folder / "config.json"
    if not config.is_file():
        raise ModelError(f"{folder}: config.json is missing")
    try:
        found = json.loads(config.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{config}: not readable as JSON ({type(error).__name__})") from error
    if not isinstance(found, dict):
        raise ModelError(f"{config}: not readable as JSON (no object, but {type(found).__name__})")
    return found


def load_network(
    kind: Any,
    folder: Path,
    *,
    device: str,
    dtype: str = "float32",
    settings: Mapping[str, object] | None = None,
    variant: str = "",
) -> Any:
    """A network of the class `kind`, of transformers or diffusers, without gradients.

    It is in evaluation mode. Half-precision weights are widened unless `dtype` says otherwise. A
    network of diffusers forgets the folder, which it would otherwise write into what is saved.
    `settings` go to the class as they are, such as which attention it shall compute; `variant` is
    that of `weight_files`.

    Raises:
        ModelError: the weights are damaged, incomplete, not finite, no safetensors, or of another
            shape than the config's.
    """
    import safetensors
    import torch
    import transformers

    weight_files(folder, variant)
    transformers.utils.logging.disable_progress_bar()  # ours are the only bars on the screen
    try:
        network, loading = kind.from_pretrained(
            str(folder),
            dtype=getattr(torch, dtype),
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            variant=variant or None,
            **(settings or {}),
        )
    # What the libraries' constructors raise for a configuration that makes no network, zero heads
    # or no blocks among them.
    except (
        OSError,
        RuntimeError,
        ValueError,
        LookupError,
        ArithmeticError,
        AssertionError,
        TypeError,
        AttributeError,
        safetensors.SafetensorError,
    ) as error:
        words = " ".join(str(error).split())[:200]
        raise ModelError(f"{folder}: cannot be loaded ({type(error).__name__}: {words})") from error
    missing = sorted(loading["missing_keys"])
    if missing:
        raise ModelError(f"{folder}: the weights lack {len(missing)} tensors, such as {missing[0]}")
    check_weights(network.state_dict(), folder, variant)
    if hasattr(network, "register_to_config"):
        network.register_to_config(_name_or_path=None)
    return to_device(network, device)


def check_weights(state: Mapping[str, Any], path: Path, variant: str = "") -> None:
    """See that all of a network's weights are numbers; `path` is where they were read from.

    `variant` is that of `weight_files`.

    Raises:
        ModelError: naming the first tensor that holds infinite numbers, or none, and its file.
    """
    import safetensors.torch
    import torch

    def broken(tensors: Mapping[str, Any]) -> str | None:
        return next(
            (
                name
                for name, value in tensors.items()
                if value.is_floating_point() and not bool(torch.isfinite(value).all())
            ),
            None,
        )

    name = broken(state)
    if name is None:
        return
    for file in weight_files(path, variant):
        found = broken(safetensors.torch.load_file(file))
        if found is not None:
            raise ModelError(f"{file}: the tensor {found} holds numbers that are not finite")
    dtype = str(state[name].dtype).removeprefix("torch.")
    raise ModelError(f"{path}: the tensor {name} is not finite in {dtype}; try another dtype")


def to_device(network: Any, device: str) -> Any:
    """The network on `device`, in evaluation mode, without gradients.

    Raises:
        ModelError: there is no such device here.
    """
    own = own_device(device)
    repeat_exactly(own)
    try:
        return network.eval().requires_grad_(requires_grad=False).to(own)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"device {device!r} cannot be used here") from error


def to_placement(network: Any, placement: Placement, path: Path) -> Any:
    """The network on its device and in its precision, as `to_device`; `path` names it in errors.

    Raises:
        ModelError: there is no such device here, or the weights are not finite in that precision.
    """
    import torch

    network = network.to(getattr(torch, placement.dtype))
    check_weights(network.state_dict(), path)
    return to_device(network, placement.device)


def to_network(rows: "torch.Tensor", network: Any) -> "torch.Tensor":
    """Numbers where a network computes; floating-point ones in its own precision."""
    weights = next(network.parameters())
    return rows.to(weights.device, weights.dtype if rows.is_floating_point() else rows.dtype)


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer whose files lie in `folder`.

    Raises:
        ModelError: there is none, or its files are damaged.
    """
    import transformers

    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json", "vocab.txt")):
        raise ModelError(f"{folder}: tokenizer.json is missing (or vocab.json, or vocab.txt)")
    try:
        return transformers.AutoTokenizer.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
    # The tokenizers library raises plain Exception on damaged files, so there is no name to catch.
    except Exception as error:
        logging.getLogger("pairloom").debug("tokenizer of %s", folder, exc_info=True)
        raise ModelError(
            f"{folder}: the tokenizer cannot be loaded ({type(error).__name__})"
        ) from error


def tokenise(tokenizer: Any, texts: list[str], *, length: int) -> dict[str, Any]:
    """Token ids and attention mask [n, length], always padded and cut to `length`.

    A fixed length keeps a text's result independent of the texts beside it.
    """
    return dict(
        tokenizer(
            texts,
            padding="max_length",
            truncation=True,
            max_length=length,
            return_tensors="pt",
        )
    )
