"""How an inpainting network is loaded: whole, or as the tensors in which it differs from a base."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from editing.diffusion.model import load_folder, require_pipeline
from editing.inpainting.latent import LatentInpainter
from editing.inpainting.sampled import SampledOptions
from transforms.models.files import locate, locate_base, weight_files
from transforms.models.folder import check_weights, to_device
from transforms.models.spec import ModelError, ModelSpec, read_options

UNET = "unet"
PARTS = ("vae", UNET, "text_encoder", "tokenizer", "scheduler")

CHANNELS_BESIDE = 1
"""Channels in beside two latents: the mask."""


@dataclass(frozen=True)
class InpaintingOptions(SampledOptions):
    """`SampledOptions`, and where the pipeline lies that a folder of some tensors builds on."""

    base: str = ""


def load_inpainting(spec: ModelSpec) -> LatentInpainter:
    """The inpainting model of a folder, laid out as diffusers' `StableDiffusionInpaintPipeline`.

    With the option `base` the folder may leave out parts, and tensors of its noise network, which
    are then those of the base, a folder in the layout of a `StableDiffusionPipeline`.

    Raises:
        ModelError: it cannot be loaded, in particular where the network does not see a mask or
            some tensors are in neither folder; the message says why.
    """
    options = read_options(InpaintingOptions, spec)
    folder = require_pipeline(locate(spec))
    base = locate_base(spec)
    config = _read_config(folder / UNET)
    found, wanted = config["in_channels"], 2 * config["out_channels"] + CHANNELS_BESIDE
    if found != wanted:
        raise ModelError(
            f"{folder / UNET}: a network for inpainting has {wanted} channels in "
            f"(latent, mask, masked latent), this one has {found}"
        )
    device, dtype, variant = options.device, options.dtype, options.variant
    unet = None
    if base is None:
        _require_parts(folder)
    else:
        shared = require_pipeline(base) / UNET
        own = folder / UNET
        unet = _merge(config, own, shared, variant=variant, device=device, dtype=dtype)
    model = load_folder(folder, device=device, dtype=dtype, variant=variant, unet=unet, base=base)
    return LatentInpainter(model=model, defaults=options.defaults())


def _require_parts(folder: Path) -> None:
    """Make sure that a folder without a base is whole.

    Raises:
        ModelError: a part is missing.
    """
    for part in PARTS:
        if not (folder / part).is_dir():
            raise ModelError(
                f"{folder}: the part {part} is missing; what builds on another pipeline needs "
                "that one's location as the option `base`"
            )


def _read_config(folder: Path) -> dict[str, Any]:
    from diffusers import UNet2DConditionModel

    try:
        found: dict[str, Any] = UNet2DConditionModel.load_config(str(folder))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder}: config.json is missing or damaged") from error
    config = {"in_channels": 4, "out_channels": 4, **found}
    for name in ("in_channels", "out_channels"):
        if type(config[name]) is not int:
            raise ModelError(f"{folder}: {name} must be a whole number, got {config[name]!r}")
    return config


def _merge(
    config: dict[str, Any], own: Path, base: Path, *, variant: str, device: str, dtype: str
) -> Any:
    """The noise network of a config, of the tensors in `own` and, for those it lacks, in `base`.

    `variant` is of the network's own weights.

    Raises:
        ModelError: they do not make up the network.
    """
    import torch
    from diffusers import UNet2DConditionModel

    try:
        network = UNet2DConditionModel.from_config(config)
    except (TypeError, ValueError, KeyError, IndexError) as error:
        words = " ".join(str(error).split())[:200]
        raise ModelError(f"{own}: config.json is that of no network ({words})") from error
    wanted = network.state_dict()
    trained, shared = _read_tensors(own, variant), _read_tensors(base)
    unknown = sorted(trained.keys() - wanted.keys())
    if unknown:
        raise ModelError(f"{own}: the network has no tensor {unknown[0]}")
    lacking = sorted(wanted.keys() - trained.keys() - shared.keys())
    if lacking:
        raise ModelError(
            f"{own}: the weights lack {len(lacking)} tensors, such as {lacking[0]}, "
            f"and so do those of its base {base}"
        )
    state = {name: trained[name] if name in trained else shared[name] for name in wanted}
    for name, value in wanted.items():
        if state[name].shape != value.shape:
            where = own if name in trained else base
            raise ModelError(
                f"{where}: the tensor {name} has the shape {tuple(state[name].shape)}, "
                f"and the network of {own} wants {tuple(value.shape)}"
            )
    cast = {name: value.to(getattr(torch, dtype)) for name, value in state.items()}
    network.load_state_dict(cast, assign=True)
    check_weights(network.state_dict(), own, variant)
    return to_device(network, device)


def _read_tensors(folder: Path, variant: str = "") -> dict[str, Tensor]:
    import safetensors
    from safetensors.torch import load_file

    tensors: dict[str, Tensor] = {}
    for file in weight_files(folder, variant):
        try:
            tensors |= load_file(file)
        except (OSError, safetensors.SafetensorError) as error:
            raise ModelError(f"{file}: cannot be read ({type(error).__name__})") from error
    check_weights(tensors, folder, variant)
    return tensors
