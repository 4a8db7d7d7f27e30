"""A preset's networks by the preset's name: what describes, what compares, what marks."""

import dataclasses

from transforms.models import loading
from transforms.models.spec import ModelSpec
from transforms.presets import Preset, load_preset
from transforms.protocols import Captioner, Encoder, Segmenter


def load_captioner(preset: str | Preset = "stilllife", *, device: str | None = None) -> Captioner:
    """The network of a preset that describes pictures in words.

    Called `captioner.caption(images)` with RGB pictures of any size, it gives one caption each,
    in order: its `text` and, as `confidence`, the least certain token's probability, in [0, 1].

    Args:
        preset: a preset's name, the path of a preset file, or a `Preset`.
        device: where it computes, as torch names it ("cpu", "cuda", "cuda:1"); None for what the
            preset says, which is the processor unless it says otherwise.

    Raises:
        PresetError: there is no such preset, or it breaks a rule.
        ModelError: the network cannot be loaded.

    >>> import io
    >>> from PIL import Image
    >>> from pairloom import StillLifeSource, load_captioner
    >>> source = StillLifeSource(count=1)
    >>> picture = next(source.read(source.shards()[0]))
    >>> captioner = load_captioner("stilllife")
    >>> [caption] = captioner.caption([Image.open(io.BytesIO(picture.image), formats=["PNG"])])
    >>> caption.text
    'a small yellow chair on the left of a patterned background'
    >>> 0 <= caption.confidence <= 1
    True
    """
    return loading.load_captioner(_on(_preset(preset).captioner, device))


def load_encoder(preset: str | Preset = "stilllife", *, device: str | None = None) -> Encoder:
    """The network of a preset that maps pictures and texts into one space (CLIP).

    `encoder.encode_images(images)` takes RGB pictures of any size, `encoder.encode_texts(texts)`
    strings; both give float32 arrays of shape (n, `encoder.dimension`) whose rows have length 1,
    so that an inner product is a cosine, in [-1, 1].

    Args:
        preset: a preset's name, the path of a preset file, or a `Preset`.
        device: as for `load_captioner`.

    Raises:
        PresetError: there is no such preset, or it breaks a rule.
        ModelError: the network cannot be loaded.

    >>> from pairloom import load_encoder
    >>> encoder = load_encoder("stilllife")
    >>> texts = encoder.encode_texts(["a red cup", "a crimson cup", "a red cup"])
    >>> texts.shape == (3, encoder.dimension)
    True
    >>> round(float(texts[0] @ texts[2]), 3)
    1.0
    """
    return loading.load_encoder(_on(_preset(preset).encoder, device))


def load_segmenter(preset: str | Preset = "stilllife", *, device: str | None = None) -> Segmenter:
    """The network of a preset that finds what a phrase names in a picture (CLIPSeg).

    `segmenter.relevance(images, phrases)` takes as many RGB pictures as phrases and gives how much
    every point belongs to its picture's phrase: float32 in [0, 1], of shape (n, h, w), where h and
    w are the network's size, not the pictures'.

    Args:
        preset: a preset's name, the path of a preset file, or a `Preset`.
        device: as for `load_captioner`.

    Raises:
        PresetError: there is no such preset, or it breaks a rule.
        ModelError: the network cannot be loaded.

    >>> import io
    >>> from PIL import Image
    >>> from pairloom import StillLifeSource, load_segmenter
    >>> source = StillLifeSource(count=1)  # a small yellow chair on the left
    >>> picture = next(source.read(source.shards()[0]))
    >>> image = Image.open(io.BytesIO(picture.image), formats=["PNG"])
    >>> [relevance] = load_segmenter("stilllife").relevance([image], ["chair"])
    >>> relevance.shape
    (64, 64)
    >>> bool(relevance[:, :32].max() > 0.9 > 0.1 > relevance[:, 40:].max())
    True
    """
    return loading.load_segmenter(_on(_preset(preset).segmenter, device))


def _preset(preset: str | Preset) -> Preset:
    return preset if isinstance(preset, Preset) else load_preset(preset)


def _on(spec: ModelSpec, device: str | None) -> ModelSpec:
    if device is None:
        return spec
    options = dict(spec.options) | {"device": device}
    return dataclasses.replace(spec, options=tuple(options.items()))
