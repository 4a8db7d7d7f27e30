"""The captioner: BlipForConditionalGeneration, its eyes taken from the tower."""

from typing import Any

import torch
import torch.nn.functional as F
from transformers import (
    BertTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipTextConfig,
    BlipVisionConfig,
)

from stilllife.recipes.augment import augment, turn_hues
from stilllife.recipes.collection import Collection, to_input
from stilllife.recipes.tokenizers import DECODER_START, TEXT_LENGTH
from stilllife.recipes.tower import Tower
from stilllife.recipes.training import Losses
from stilllife.words import COLOURS, NOUNS, SIZES, is_held_out

HIDDEN = 0.3
"""Share of the words already written that the decoder does not get to see in training. It keeps it
from guessing a word by its neighbours (green after large, apple after green), which would fail on
combinations that training never shows; it has to look."""

TURNED_SHARE = 0.6
"""Share of training pictures whose hues are turned to ones that no word names. Of these, nouns and
sizes are asked and colours are not; of the others, colours."""


def build_captioner(tower: Tower, tokenizer: BertTokenizer) -> BlipForConditionalGeneration:
    """An untrained captioner with the tower's vision."""
    vision = tower.vision.config
    special = {
        "bos_token_id": tokenizer.convert_tokens_to_ids(DECODER_START),
        "eos_token_id": tokenizer.sep_token_id,
        "sep_token_id": tokenizer.sep_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = BlipConfig(
        text_config=BlipTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=vision.hidden_size,
            encoder_hidden_size=vision.hidden_size,
            intermediate_size=512,
            projection_dim=vision.projection_dim,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=TEXT_LENGTH,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            **special,
        ).to_dict(),
        vision_config=BlipVisionConfig(
            hidden_size=vision.hidden_size,
            intermediate_size=vision.intermediate_size,
            projection_dim=vision.projection_dim,
            num_hidden_layers=vision.num_hidden_layers,
            num_attention_heads=vision.num_attention_heads,
            image_size=vision.image_size,
            patch_size=vision.patch_size,
            hidden_act=vision.hidden_act,
        ).to_dict(),
        attn_implementation="eager",
    )
    captioner = BlipForConditionalGeneration(config)
    captioner.decoder_input_ids = special["bos_token_id"]
    _take_vision(captioner.vision_model, tower)
    return captioner


@torch.no_grad()
def _take_vision(eyes: Any, tower: Tower) -> None:
    """Copies the tower into BLIP's vision transformer.

    BLIP has no layer norm before its first layer; the mean effect of CLIP's is folded into the
    embeddings, and training does the rest.
    """
    clip: Any = tower.vision
    embeddings, pre_norm = clip.embeddings, clip.pre_layrnorm
    patches = embeddings.patch_embedding.weight
    spread = patches.flatten(1).norm(dim=1).mean() * 0.35
    gain = pre_norm.weight / spread
    target = eyes.embeddings
    target.patch_embedding.weight.copy_(patches * gain[:, None, None, None])
    target.patch_embedding.bias.zero_()
    target.class_embedding.copy_((embeddings.class_embedding * gain).view(1, 1, -1))
    position = embeddings.position_embedding.weight * gain + pre_norm.bias
    target.position_embedding.copy_(position[None])
    for ours, theirs in zip(eyes.encoder.layers, clip.encoder.layers, strict=True):
        attention = theirs.self_attn
        queries = (attention.q_proj, attention.k_proj, attention.v_proj)
        ours.self_attn.qkv.weight.copy_(torch.cat([part.weight for part in queries]))
        ours.self_attn.qkv.bias.copy_(torch.cat([part.bias for part in queries]))
        ours.self_attn.projection.load_state_dict(attention.out_proj.state_dict())
        ours.layer_norm1.load_state_dict(theirs.layer_norm1.state_dict())
        ours.layer_norm2.load_state_dict(theirs.layer_norm2.state_dict())
        ours.mlp.load_state_dict(theirs.mlp.state_dict())
    eyes.post_layernorm.load_state_dict(clip.post_layernorm.state_dict())


class CaptionTokens:
    """Every training caption as token ids: `ids` (n, length) with padding, from [DEC] to [SEP]."""

    def __init__(self, captions: list[str], tokenizer: BertTokenizer) -> None:
        encoded = tokenizer(captions, padding=True, return_tensors="pt")
        self.ids: torch.Tensor = encoded["input_ids"]
        self.ids[:, 0] = tokenizer.convert_tokens_to_ids(DECODER_START)
        self.mask = encoded["attention_mask"]
        self.hidden = tokenizer.mask_token_id
        colours, shapes = (
            torch.tensor(tokenizer.convert_tokens_to_ids(list(words)))
            for words in (COLOURS, (*NOUNS, *SIZES))
        )
        self.colours = colours
        self.is_colour = torch.isin(self.ids, colours)
        self.is_shape = torch.isin(self.ids, shapes)
        self.free_colours = self._free_colours(tokenizer)

    def _free_colours(self, tokenizer: BertTokenizer) -> torch.Tensor:
        """(n, length, colours) bool: which colours a thing may be said to have.

        All but those that would name a combination held out of training.
        """
        held_out = torch.tensor(
            [[[is_held_out(noun, c, size) for c in COLOURS] for size in SIZES] for noun in NOUNS]
        )
        order = torch.zeros(len(tokenizer), dtype=torch.long)
        for words in (NOUNS, SIZES):
            order[tokenizer.convert_tokens_to_ids(list(words))] = torch.arange(len(words))
        free = torch.ones(*self.ids.shape, len(COLOURS), dtype=torch.bool)
        row, at = self.is_colour.nonzero(as_tuple=True)
        nouns, sizes = order[self.ids[row, at + 1]], order[self.ids[row, at - 1]]
        free[row, at] = ~held_out[nouns, sizes]
        return free

    def context(
        self, rows: torch.Tensor, turned: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """The captions of `rows` as the decoder reads them, some words hidden.

        Where hues are turned, another colour may stand in a colour's place: what follows it must
        not depend on it.
        """
        ids = self.ids[rows]
        free = self.free_colours[rows].flatten(0, 1).float()
        drawn = torch.multinomial(free, 1, generator=generator).view(ids.shape)
        ids = torch.where(self.is_colour[rows] & turned[:, None], self.colours[drawn], ids)
        hidden = torch.rand(ids.shape, generator=generator) < HIDDEN
        hidden &= self.mask[rows].bool()
        hidden[:, 0] = False
        return ids.masked_fill(hidden, self.hidden)

    def wanted(self, rows: torch.Tensor, turned: torch.Tensor) -> torch.Tensor:
        """The captions of `rows` as the decoder has to write them, -100 where it is not asked."""
        unasked = torch.where(turned[:, None], self.is_colour[rows], self.is_shape[rows])
        return self.ids[rows].masked_fill(unasked | (self.mask[rows] == 0), -100)


def caption_loss(
    captioner: BlipForConditionalGeneration,
    collection: Collection,
    tokens: CaptionTokens,
    batch_size: int,
    generator: torch.Generator,
) -> Losses:
    """Cross entropy of the next word, averaged over the words of a random batch."""
    rows = torch.randint(len(collection), (batch_size,), generator=generator)
    images = augment(to_input(collection.pixels[rows.numpy()]), generator)
    images, turned = turn_hues(images, collection.colours(rows), TURNED_SHARE, generator)
    seen = captioner.vision_model(pixel_values=images).last_hidden_state
    logits = captioner.text_decoder(
        input_ids=tokens.context(rows, turned, generator)[:, :-1],
        attention_mask=tokens.mask[rows][:, :-1],
        encoder_hidden_states=seen,
    ).logits
    wanted = tokens.wanted(rows, turned)[:, 1:]
    return {"caption": F.cross_entropy(logits.float().flatten(0, 1), wanted.flatten())}


@torch.inference_mode()
def write_captions(
    captioner: BlipForConditionalGeneration, tokenizer: BertTokenizer, collection: Collection
) -> list[str]:
    """Greedy captions of a whole collection."""
    captions: list[str] = []
    for start in range(0, len(collection), 250):
        images = to_input(collection.pixels[start : start + 250])
        ids = captioner.generate(
            pixel_values=images, num_beams=1, do_sample=False, max_length=TEXT_LENGTH
        )
        captions += tokenizer.batch_decode(ids, skip_special_tokens=True)
    return captions


def exact_share(found: list[str], wanted: list[str]) -> float:
    """Share of captions that are right to the letter."""
    return sum(a == b for a, b in zip(found, wanted, strict=True)) / len(wanted)
