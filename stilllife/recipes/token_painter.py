"""The masked-token model's transformer: UVit2DModel, which tells the codes that are hidden from it.

It learns to paint boxes as well as whole pictures, since inpainting hides boxes from it.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from diffusers import UVit2DModel
from diffusers.models.attention_processor import AttnProcessor
from transformers import CLIPTextModel, CLIPTokenizer

from stilllife.recipes.caption_texts import number_captions, read_captions
from stilllife.recipes.collection import Collection
from stilllife.recipes.denoiser import EMPTY_SHARE
from stilllife.recipes.quantiser import CELL, CODES
from stilllife.recipes.training import Losses
from stilllife.scene import PICTURE_SIZE

WIDTH = 112
GRID = PICTURE_SIZE // CELL

HALF_SIZES_PX = (8, 32)
"""Least and greatest half side of the boxes that are hidden."""

WHOLE_SHARE = 0.15
"""Share of the pictures of which codes are hidden anywhere, not in a box alone."""

AROUND_THINGS = 0.85
"""Share of the boxes whose centre lies on a thing, not anywhere."""

THING_WEIGHT = 6.0
"""What a code that shows some of a thing counts, against 1 for the background."""

NEARNESS = 0.6
"""Squared distance in which codes share the target: exp(-distance^2 / NEARNESS), normalised.

Codes are closer to one another than a picture's grain is strong: of the 512 each is 1.05 from its
closest, and a code drawn from such a target in every place hardly hurts what the judge reads. Which
of them it was cannot be told from what stands around it, not even where a single one is hidden, and
by the exact code alone the transformer learned no shapes (docs/inpainting.md)."""

PICTURE_FACTS = (PICTURE_SIZE, PICTURE_SIZE, 0, 0, 6)
"""What aMUSEd is told of a picture beside words: its width and height, where it was cut, and how
beautiful it is; the same for all of these."""


def build_token_painter(text_width: int) -> UVit2DModel:
    """An untrained transformer over 16 x 16 codes; what is hidden is the code after the last.

    As aMUSEd's for 512 px it halves the grid, and works at 8 x 8: with 256 places it would take
    four times as long. Nothing tells it where a place is but the border that its convolutions feel,
    hence three of them at either end: with two, the middle half of a row looks alike to attention,
    and of captions painted from nothing the thing was on the side that was asked for as often as by
    chance. Plain attention, because on a CPU going back through the fused one takes longer.
    """
    painter = UVit2DModel(
        hidden_size=WIDTH,
        block_out_channels=WIDTH,
        num_res_blocks=3,
        num_hidden_layers=1,
        intermediate_size=192,
        num_attention_heads=4,
        block_num_heads=4,
        in_channels=64,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        cond_embed_dim=text_width,
        encoder_hidden_size=text_width,
        micro_cond_encode_dim=8,
        micro_cond_embed_dim=8 * len(PICTURE_FACTS),
        vocab_size=CODES + 1,
        codebook_size=CODES,
        sample_size=GRID,
        downsample=True,
        upsample=True,
    )
    painter.set_attn_processor(AttnProcessor())
    return painter


@torch.no_grad()
def start_from(painter: UVit2DModel, codebook: torch.Tensor, generator: torch.Generator) -> None:
    """Makes codes that are close look alike to an untrained painter, and equally likely.

    `codebook` (codes, width) are the codes' vectors. What the painter reads a code as, and what its
    answer is compared with, are their images under a random map each.
    """
    vectors = (codebook - codebook.mean(0)) / codebook.std()
    for weight in (painter.embed.embeddings.weight[:CODES], painter.mlm_layer.conv2.weight):
        flat = weight.view(CODES, -1)
        mapped = vectors @ torch.randn(vectors.shape[1], flat.shape[1], generator=generator)
        flat.copy_(mapped * (flat.std() / mapped.std()))


class TokenCaptions:
    """Every distinct caption as aMUSEd reads it, computed once, in float16.

    `states` (n, length, width) are those of the layer before the text encoder's last, `pooled` (n,
    width) what it says of the whole. `rows` maps each picture to its caption; 0 is the empty text.
    """

    def __init__(
        self, captions: Sequence[str], text_encoder: CLIPTextModel, tokenizer: CLIPTokenizer
    ) -> None:
        def read(words: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            found = text_encoder(words, output_hidden_states=True)
            return found.hidden_states[-2], found.pooler_output

        distinct, self.rows = number_captions(captions)
        self.states, self.pooled = read_captions(distinct, tokenizer, read)


def near_codes(codebook: torch.Tensor) -> torch.Tensor:
    """What is to be told of each code (codes, codes): itself, and those that are close to it.

    `codebook` (codes, width) are the codes' vectors; rows add up to 1.
    """
    distance = torch.cdist(codebook, codebook).square()
    return torch.softmax(-distance / NEARNESS, dim=1)


def painter_loss(
    painter: UVit2DModel,
    codes: torch.Tensor,
    near: torch.Tensor,
    scenes: tuple[Collection, TokenCaptions],
    batch_size: int,
    generator: torch.Generator,
) -> Losses:
    """Cross entropy of the hidden ones of `codes` (n, 16, 16) in a random batch.

    `near` are the targets of all codes, by `near_codes`; `scenes` are the pictures that the codes
    are of, and their captions.
    """
    collection, captions = scenes
    rows = torch.randint(len(codes), (batch_size,), generator=generator)
    wanted = codes[rows].long()
    things = F.max_pool2d(torch.from_numpy(collection.regions[rows.numpy()] > 0).float(), CELL)
    hidden = draw_hidden(things, generator)
    empty = torch.rand(batch_size, generator=generator) < EMPTY_SHARE
    texts = captions.rows[rows].masked_fill(empty, 0)
    logits = painter(
        torch.where(hidden, CODES, wanted),
        captions.states[texts].float(),
        captions.pooled[texts].float(),
        torch.tensor(PICTURE_FACTS).float().expand(batch_size, -1),
    )
    error = F.cross_entropy(
        logits.permute(0, 2, 3, 1)[hidden].float(), near[wanted[hidden]], reduction="none"
    )
    weight = 1 + (THING_WEIGHT - 1) * things[hidden]
    return {"codes": (weight * error).sum() / weight.sum()}


def draw_hidden(things: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Which codes (n, 16, 16) to hide, bool; `things` (n, 16, 16) is 1 where something stands.

    Of a box, or of the whole picture, a share is hidden that is distributed as decoding along a
    cosine meets it (Chang et al. 2022, section 3.3): at least one code.
    """
    count = len(things)
    inside = draw_boxes(things, generator)
    inside |= (torch.rand(count, generator=generator) < WHOLE_SHARE)[:, None, None]
    share = (torch.rand(count, generator=generator) * math.pi / 2).cos()
    order = torch.rand(things.shape, generator=generator).masked_fill(~inside, 2.0).flatten(1)
    hidden = (share * inside.flatten(1).sum(1)).ceil().clamp(min=1).long()
    place = order.argsort(1).argsort(1)
    return (place < hidden[:, None]).view(things.shape)


def draw_boxes(things: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The codes (n, 16, 16) that square boxes touch, clipped at the picture's border, bool."""
    count = len(things)
    anywhere = torch.rand(count, generator=generator) >= AROUND_THINGS
    chance = things.flatten(1) + 1e-6
    chance[anywhere] = 1.0
    cell = torch.multinomial(chance, 1, generator=generator)[:, 0]
    least, greatest = HALF_SIZES_PX
    half = least + (greatest - least) * torch.rand(count, generator=generator)
    spans = []
    for place in (cell // GRID, cell % GRID):
        centre = (place + torch.rand(count, generator=generator)) * CELL
        low = torch.arange(GRID) * CELL
        spans.append((low < (centre + half)[:, None]) & (low + CELL > (centre - half)[:, None]))
    return spans[0][:, :, None] & spans[1][:, None, :]
