"""The multimodal target, in the concatenated spaces of several encoders."""

import torch
from fakes.editors import seeded

from editing.editors.flexit.target import JointEncoder, make_target
from editing.editors.flexit.views import draw_views


class Space:
    """Pictures and texts by numbers that are easily told: means, and the texts' lengths."""

    def __init__(self, scale):
        self.scale = scale
        self.seen = []

    def embed_pictures(self, pictures):
        self.seen.append(pictures.shape)
        return self.scale * pictures.mean((2, 3))

    def embed_texts(self, texts):
        rows = [[len(text), 1.0, 0.0] for text in texts]
        return self.scale * torch.tensor(rows)


def unit(values):
    return values / values.norm(dim=-1, keepdim=True)


def look(count=1, edits=2):
    generators = [seeded(n) for n in range(edits)]
    return draw_views(generators, count=count, plain=False, flips=False)


def test_each_encoder_s_embedding_has_length_one_before_they_are_joined():
    encoder = JointEncoder((Space(1.0), Space(7.0)))
    found = encoder.embed_texts(["ab", "a"])
    wanted = unit(torch.tensor([[2.0, 1, 0], [1, 1, 0]]))
    torch.testing.assert_close(found, torch.cat([wanted, wanted], 1))


def test_the_embeddings_of_views_are_averaged():
    space = Space(1.0)
    pictures = torch.rand(2, 3, 8, 12)
    maps = look(4)
    found = JointEncoder((space,)).embed_pictures(pictures, maps)
    assert space.seen == [(8, 3, 8, 8)]  # squeezed to a square, which all encoders see whole
    alone = [
        JointEncoder((Space(1.0),)).embed_pictures(pictures, maps[:, n : n + 1]) for n in range(4)
    ]
    torch.testing.assert_close(found, torch.stack(alone).mean(0))


def test_it_is_equation_4_1():
    encoder = JointEncoder((Space(1.0),))
    pictures, maps = torch.rand(2, 3, 8, 8), look(2)
    found = make_target(
        encoder,
        pictures,
        maps,
        prompts=["abc", "ab"],
        source_prompts=["a", None],
        weight_image=0.2,
        weight_source=0.4,
    )
    wanted = encoder.embed_texts(["abc", "ab"]) + 0.2 * encoder.embed_pictures(pictures, maps)
    wanted[0] -= 0.4 * encoder.embed_texts(["a"])[0]
    torch.testing.assert_close(found, wanted)
