"""Which diffusion model an editing method runs on."""

import dataclasses
from pathlib import Path

from editing.choices import TRAINED
from pipelines.terminal.console import EXIT_USAGE, CommandError
from transforms.models.spec import ModelSpec
from transforms.presets import Preset

PIPELINE = "pipeline"
"""Where a run of `train` keeps the editor."""


def with_options(spec: ModelSpec, *, device: str, dtype: str | None = None) -> ModelSpec:
    """The same model computed on `device`, with weights of `dtype` if one is named."""
    options = dict(spec.options) | {"device": device}
    if dtype is not None:
        options["dtype"] = dtype
    return dataclasses.replace(spec, options=tuple(options.items()))


def editor_spec(folder: Path) -> ModelSpec:
    """The diffusion model in a run of `train`, or in a pipeline folder."""
    inside = folder / PIPELINE
    place = inside if inside.is_dir() else folder
    return ModelSpec(loader="stable_diffusion", location=str(place.resolve()))


def model_of(
    method: str,
    preset: Preset,
    *,
    model: Path | None,
    device: str = "cpu",
    dtype: str | None = None,
) -> ModelSpec | None:
    """The diffusion model that `method` edits with; None for `copy`, which has none.

    `model` is a run of `train` or a pipeline; without it, and for `sdedit` where the trained
    methods are to be compared with it, the preset's own serves. `device` and `dtype` are those of
    `with_options`.

    Raises:
        CommandError: none is named, or a method that needs training has no trained one.
    """
    if method == "copy":
        return None
    if model is not None:
        return with_options(editor_spec(model), device=device, dtype=dtype)
    if method in TRAINED:
        raise CommandError(
            f"--method {method} needs --model, a run of `pairloom train`", exit_code=EXIT_USAGE
        )
    if preset.diffusion is None:
        raise CommandError(f"preset {preset.name} names no diffusion model: give --model")
    return with_options(preset.diffusion, device=device, dtype=dtype)
