"""The models that an editor is made of: a preset's parts, each loaded once and when it is needed.

Imports no network library; a loader does when it is called.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from transforms.models.adaptation_heads import load_heads
from transforms.models.files import identity
from transforms.models.loading import load_captioner, load_encoder, load_segmenter
from transforms.models.spec import ModelSpec
from transforms.presets import Preset
from transforms.protocols import Source

if TYPE_CHECKING:
    from editing.boxes.text_region_net import TextRegionNet
    from editing.diffusion.model import LatentDiffusion
    from editing.features.backbone import Backbone
    from editing.features.caption_likelihood import CaptionLikelihood
    from editing.features.clip import ClipSpace
    from editing.features.perceptual import PerceptualFeatures
    from editing.inpainting.inpainter import Inpainter
    from editing.inpainting.masked_token import MaskedTokenInpainter
    from editing.inpainting.token_autoencoder import TokenAutoencoder
    from transforms.protocols import Captioner, Encoder, Segmenter


def _load_diffusion(spec: ModelSpec) -> "LatentDiffusion":
    from editing.diffusion.model import load_diffusion

    return load_diffusion(spec)


def _load_clip_space(spec: ModelSpec) -> "ClipSpace":
    from editing.features.clip import load_clip_space

    return load_clip_space(spec)


def _load_caption_likelihood(spec: ModelSpec) -> "CaptionLikelihood":
    from editing.features.caption_likelihood import load_caption_likelihood

    return load_caption_likelihood(spec)


def _load_perceptual(spec: ModelSpec) -> "PerceptualFeatures":
    from editing.features.perceptual import load_perceptual

    return load_perceptual(spec)


def _load_backbone(spec: ModelSpec) -> "Backbone":
    from editing.features.backbone_loaders import load_backbone

    return load_backbone(spec)


def _load_region_net(spec: ModelSpec) -> "TextRegionNet":
    from editing.boxes.text_region_net import load_region_net

    return load_region_net(spec)


def _load_inpainting(spec: ModelSpec) -> "Inpainter":
    from editing.inpainting.latent_loading import load_inpainting

    return load_inpainting(spec)


def _load_masked_sdedit(spec: ModelSpec) -> "Inpainter":
    from editing.inpainting.masked_sdedit import load_masked_sdedit

    return load_masked_sdedit(spec)


def _load_masked_token(spec: ModelSpec) -> "MaskedTokenInpainter":
    from editing.inpainting.masked_token import load_masked_token

    return load_masked_token(spec)


def _load_token_autoencoder(spec: ModelSpec) -> "TokenAutoencoder":
    from editing.inpainting.token_autoencoder import load_token_autoencoder

    return load_token_autoencoder(spec)


@dataclass(frozen=True)
class PartLoader:
    """How a part is loaded, and from which part of a preset it is."""

    load: Callable[[ModelSpec], Any]
    of: str


PART_LOADERS: dict[str, PartLoader] = {
    "captioner": PartLoader(load_captioner, "captioner"),
    "encoder": PartLoader(load_encoder, "encoder"),
    "segmenter": PartLoader(load_segmenter, "segmenter"),
    "diffusion": PartLoader(_load_diffusion, "diffusion"),
    "clip_space": PartLoader(_load_clip_space, "encoder"),
    "second_clip_space": PartLoader(_load_clip_space, "second_encoder"),
    "third_clip_space": PartLoader(_load_clip_space, "third_encoder"),
    "segmenter_clip_space": PartLoader(_load_clip_space, "segmenter"),
    "caption_likelihood": PartLoader(_load_caption_likelihood, "captioner"),
    "perceptual": PartLoader(_load_perceptual, "perceptual"),
    "backbone": PartLoader(_load_backbone, "backbone"),
    "region_net": PartLoader(_load_region_net, "region_net"),
    "inpainting": PartLoader(_load_inpainting, "inpainting"),
    "masked_sdedit": PartLoader(_load_masked_sdedit, "masked_sdedit"),
    "masked_token": PartLoader(_load_masked_token, "masked_token"),
    "adaptation_heads": PartLoader(load_heads, "adaptation_heads"),
    "token_autoencoder": PartLoader(_load_token_autoencoder, "masked_token"),
}
"""Every part an editor can ask for. `clip_space` is the encoder for tensors, with gradients."""

OF_DIFFUSION = ("diffusion", "inpainting", "masked_sdedit")
"""Parts of a preset that are latent diffusion models, whose precision can be chosen."""


OpenSource = Callable[[Mapping[str, object]], Source]
"""Opens the source that a mapping describes, as `Source.describe` gave it."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A preset's parts on one device. A part is loaded when it is first asked for, and kept.

    `replaced` stands in for parts of the preset, as trained weights do for the ones they were
    trained from. `device` is torch's word for where all parts compute, None for what the preset
    says; `dtype` is the precision of diffusion models' weights, likewise. `open_source` opens what
    a source says of itself, for editors that look into an index of it; None where nothing does.
    Pickled, it forgets what was loaded and what was hashed.
    """

    preset: Preset
    replaced: Mapping[str, ModelSpec] = field(default_factory=dict)
    device: str | None = None
    dtype: str | None = None
    open_source: OpenSource | None = None
    _loaded: dict[tuple[str, ModelSpec], Any] = field(
        default_factory=dict, repr=False, compare=False
    )
    _identities: dict[ModelSpec, str] = field(default_factory=dict, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_loaded": {}, "_identities": {}}

    def with_replaced(self, replaced: Mapping[str, ModelSpec]) -> "Parts":
        """The same with other parts replaced; what both share is loaded and hashed once."""
        return dataclasses.replace(self, replaced=replaced)

    def spec(self, name: str) -> ModelSpec:
        """What would be loaded for the part `name` of the preset.

        Raises:
            PresetError: no model plays the part.
        """
        spec = self.replaced[name] if name in self.replaced else self.preset.part(name)
        options = dict(spec.options)
        if self.device is not None:
            options["device"] = self.device
        if self.dtype is not None and name in OF_DIFFUSION:
            options["dtype"] = self.dtype
        return dataclasses.replace(spec, options=tuple(options.items()))

    def identities(self, names: Iterable[str]) -> dict[str, str]:
        """One line for the model behind each of the parts `names`, by the preset's name for it.

        Raises:
            PresetError: no model plays a part.
            ModelError: its files are not there.
        """
        return {of: self._identity(of) for of in sorted({PART_LOADERS[n].of for n in names})}

    def _identity(self, of: str) -> str:
        spec = self.spec(of)
        if spec not in self._identities:
            # Weights in a folder are hashed, which for large ones takes long.
            self._identities[spec] = identity(spec)
        return self._identities[spec]

    def load(self, name: str) -> Any:
        """The part `name`, a key of `PART_LOADERS`.

        Raises:
            PresetError: no model plays the part.
            ModelError: it cannot be loaded; the message says why.
        """
        loader = PART_LOADERS[name]
        spec = self.spec(loader.of)
        if (name, spec) not in self._loaded:
            self._loaded[name, spec] = loader.load(spec)
        return self._loaded[name, spec]

    @property
    def captioner(self) -> "Captioner":
        """What describes pictures."""
        captioner: Captioner = self.load("captioner")
        return captioner

    @property
    def encoder(self) -> "Encoder":
        """What maps pictures and texts into one space."""
        encoder: Encoder = self.load("encoder")
        return encoder

    @property
    def segmenter(self) -> "Segmenter":
        """What finds in a picture what a phrase names."""
        segmenter: Segmenter = self.load("segmenter")
        return segmenter

    @property
    def diffusion(self) -> "LatentDiffusion":
        """The latent diffusion model."""
        diffusion: LatentDiffusion = self.load("diffusion")
        return diffusion
