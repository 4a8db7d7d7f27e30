"""The backbones there are, by the name of their loader."""

from collections.abc import Callable, Mapping

from editing.features.backbone import Backbone
from editing.features.clip_attention import load_clip_attention
from editing.features.dino import load_dino
from transforms.models.loading import load_by
from transforms.models.spec import ModelSpec

BACKBONES: Mapping[str, Callable[[ModelSpec], Backbone]] = {
    "dino": load_dino,
    "clip_attention": load_clip_attention,
}


def load_backbone(spec: ModelSpec) -> Backbone:
    """The backbone of a spec.

    Raises:
        ModelError: it cannot be loaded; the message says why.
    """
    return load_by(spec, BACKBONES, "backbone")
