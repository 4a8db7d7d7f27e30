"""The attention of CLIP's vision tower, for worlds that no DINO knows."""

from editing.features.backbone import Backbone, make_backbone
from editing.features.dino import BackboneOptions
from transforms.models.files import locate
from transforms.models.folder import check_folder, load_network
from transforms.models.pictures import read_picture_processor
from transforms.models.spec import ModelSpec, read_options


def load_clip_attention(spec: ModelSpec) -> Backbone:
    """The backbone that is the vision tower of a folder's `CLIPModel`.

    Raises:
        ModelError: it cannot be loaded; the message says why.
    """
    options = read_options(BackboneOptions, spec)
    folder = locate(spec)
    check_folder(folder, model_type="clip")
    from transformers import CLIPModel

    # The class of the vision tower alone would complain of the text tower's weights.
    eager = {"attn_implementation": "eager"}
    clip = load_network(CLIPModel, folder, device=options.device, settings=eager)
    pictures = read_picture_processor(folder)
    side, where = options.picture_size, spec.location
    return make_backbone(clip.vision_model, pictures, side=side, where=where)
