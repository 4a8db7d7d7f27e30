"""DINO (Caron et al. 2021): a vision transformer that learned from pictures alone."""

from dataclasses import dataclass

from editing.features.backbone import Backbone, make_backbone
from transforms.models.files import locate
from transforms.models.folder import check_folder, load_network
from transforms.models.pictures import read_picture_processor
from transforms.models.spec import ModelSpec, read_options


@dataclass(frozen=True)
class BackboneOptions:
    """Torch device; `picture_size`, the side in pixels at which pictures are looked at.

    0 is the side the network was trained at. Attention is finer at a greater one.
    """

    device: str = "cpu"
    picture_size: int = 0

    def __post_init__(self) -> None:
        if self.picture_size < 0:
            raise ValueError(f"picture_size must be at least 0, got {self.picture_size}")


def load_dino(spec: ModelSpec) -> Backbone:
    """The backbone of a folder that holds a `ViTModel`, as DINO's are published.

    Raises:
        ModelError: it cannot be loaded; the message says why.
    """
    options = read_options(BackboneOptions, spec)
    folder = locate(spec)
    check_folder(folder, model_type="vit")
    from transformers import ViTModel

    # DINO has no pooling layer; other implementations of attention do not give its weights.
    settings = {"add_pooling_layer": False, "attn_implementation": "eager"}
    network = load_network(ViTModel, folder, device=options.device, settings=settings)
    pictures = read_picture_processor(folder)
    return make_backbone(network, pictures, side=options.picture_size, where=spec.location)
