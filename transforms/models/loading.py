"""From a spec to a model: which loader plays which part.

`LoadCaptioner(spec)` and its siblings are the same as plain, picklable, hashable values, for the
handlers that load a model once in each worker process.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from transforms.models.blip import BlipOptions, load_blip
from transforms.models.clip import EncoderOptions, load_clip
from transforms.models.clipseg import ClipSegOptions, load_clipseg
from transforms.models.devices import AUTO, CPU, GPUS, NetworkOptions, place
from transforms.models.open_clip import OpenClipOptions, load_open_clip
from transforms.models.spec import ModelError, ModelSpec, read_options
from transforms.protocols import Captioner, Encoder, Segmenter

PartT = TypeVar("PartT")

CAPTIONERS: Mapping[str, Callable[[ModelSpec], Captioner]] = {"blip": load_blip}
ENCODERS: Mapping[str, Callable[[ModelSpec], Encoder]] = {
    "clip": load_clip,
    "open_clip": load_open_clip,
}
SEGMENTERS: Mapping[str, Callable[[ModelSpec], Segmenter]] = {"clipseg": load_clipseg}


NETWORK_OPTIONS: Mapping[str, type[NetworkOptions]] = {
    "blip": BlipOptions,
    "clip": EncoderOptions,
    "open_clip": OpenClipOptions,
    "clipseg": ClipSegOptions,
}
"""What the loaders that come with this package can be told."""


def rows_of_spec(spec: ModelSpec) -> int:
    """How many rows the network of a spec will see at once; 1 where its loader does not say.

    Raises:
        ModelError: its options are not those of its loader.
    """
    kind = NETWORK_OPTIONS.get(spec.loader)
    return 1 if kind is None else read_options(kind, spec).rows


def gpu_of(spec: ModelSpec) -> str | None:
    """The GPU that a spec names, `cuda` or `cuda:1` for instance; None for the CPU."""
    placement = place(str(dict(spec.options).get("device", CPU)), AUTO)
    return placement.device if placement.kind in GPUS else None


def load_captioner(spec: ModelSpec) -> Captioner:
    """The captioner of a spec. Raises ModelError where it cannot be loaded."""
    return load_by(spec, CAPTIONERS, "captioner")


def load_encoder(spec: ModelSpec) -> Encoder:
    """The encoder of a spec. Raises ModelError where it cannot be loaded."""
    return load_by(spec, ENCODERS, "encoder")


def load_segmenter(spec: ModelSpec) -> Segmenter:
    """The segmenter of a spec. Raises ModelError where it cannot be loaded."""
    return load_by(spec, SEGMENTERS, "segmenter")


def load_by(
    spec: ModelSpec, loaders: Mapping[str, Callable[[ModelSpec], PartT]], part: str
) -> PartT:
    """What the loader that a spec names makes of it; `part` says in errors what was wanted.

    Raises:
        ModelError: there is no such loader, or the model cannot be loaded.
    """
    if spec.loader not in loaders:
        raise ModelError(f"no {part} loader {spec.loader!r}; there are {', '.join(loaders)}")
    return loaders[spec.loader](spec)


@dataclass(frozen=True)
class LoadCaptioner:
    """Loads the captioner of `spec` when called."""

    spec: ModelSpec

    def __call__(self) -> Captioner:
        """The captioner."""
        return load_captioner(self.spec)


@dataclass(frozen=True)
class LoadEncoder:
    """Loads the encoder of `spec` when called."""

    spec: ModelSpec

    def __call__(self) -> Encoder:
        """The encoder."""
        return load_encoder(self.spec)


@dataclass(frozen=True)
class LoadSegmenter:
    """Loads the segmenter of `spec` when called."""

    spec: ModelSpec

    def __call__(self) -> Segmenter:
        """The segmenter."""
        return load_segmenter(self.spec)
