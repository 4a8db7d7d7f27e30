"""The encoder: CLIPModel, trained by contrast of pictures with captions and near-miss captions."""

import math
import random

import torch
import torch.nn.functional as F
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTokenizer

from stilllife.recipes.augment import augment, turn_hues
from stilllife.recipes.collection import Collection, to_input
from stilllife.recipes.tokenizers import TEXT_LENGTH
from stilllife.recipes.tower import Tower
from stilllife.recipes.training import Losses
from stilllife.scene import single_captions
from stilllife.words import BACKGROUNDS, COLOURS, NOUNS, SIDES, SIZES, is_held_out

PROJECTION = 128
TURNED_SHARE = 0.4
"""Share of training pictures whose hues no word names; their captions say nothing of colour."""

SLOTS = (NOUNS, COLOURS, SIZES, SIDES, BACKGROUNDS)

NAMED_SLOTS = (COLOURS, SIDES, BACKGROUNDS)
"""What is changed in the near misses of pictures whose colours have names. Nouns and sizes are
contrasted where they have none, so that no noun can be learned as one that lacks a colour."""


def build_encoder(tower: Tower, tokenizer: CLIPTokenizer) -> CLIPModel:
    """A CLIP whose vision is the tower's and whose text side is new."""
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=96,
        intermediate_size=384,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=TEXT_LENGTH,
        projection_dim=PROJECTION,
        hidden_act="gelu",
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    config = CLIPConfig(
        text_config=text.to_dict(),
        vision_config=tower.vision.config.to_dict(),
        projection_dim=PROJECTION,
        logit_scale_init_value=math.log(20.0),
        attn_implementation="eager",
    )
    encoder = CLIPModel(config)
    encoder.vision_model.load_state_dict(tower.vision.state_dict())
    return encoder


def near_miss(
    caption: str, chooser: random.Random, slots: tuple[tuple[str, ...], ...] = SLOTS
) -> str:
    """`caption` with a word of `slots` changed for another of its slot, or two words exchanged.

    Words of any slot may be exchanged. Never names a combination that is held out of training.
    """
    words = caption.split()
    while True:
        changed = list(words)
        slot = chooser.choice(SLOTS)
        places = [at for at, word in enumerate(words) if word in slot]
        if len(places) == 2 and chooser.random() < 0.4:
            first, second = places
            changed[first], changed[second] = changed[second], changed[first]
        elif places and slot in slots:
            at = chooser.choice(places)
            changed[at] = chooser.choice([word for word in slot if word != words[at]])
        if changed != words and not _names_held_out(changed):
            return " ".join(changed)


def _names_held_out(words: list[str]) -> bool:
    return any(
        noun in NOUNS and colour in COLOURS and is_held_out(noun, colour, size)
        for size, colour, noun in zip(words, words[1:], words[2:], strict=False)
    )


def without_colours(caption: str) -> str:
    """`caption` without its colour words."""
    return " ".join(word for word in caption.split() if word not in COLOURS)


class CaptionPool:
    """Training captions and their near misses as token ids, tokenised once per distinct text."""

    def __init__(self, captions: list[str], tokenizer: CLIPTokenizer) -> None:
        self.captions = captions
        self.tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}

    def tokens(self, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and attention mask, padded to the longest of `texts`."""
        for text in texts:
            if text not in self._known:
                self._known[text] = self.tokenizer(text)["input_ids"]
        rows = [self._known[text] for text in texts]
        longest = max(map(len, rows))
        pad = self.tokenizer.pad_token_id
        ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        return ids, mask


def encoder_loss(
    encoder: CLIPModel,
    collection: Collection,
    pool: CaptionPool,
    batch_size: int,
    generator: torch.Generator,
) -> Losses:
    """Contrastive losses (Radford et al. 2021) of a random batch.

    Every picture meets all captions of the batch and one near miss of each; pictures with the
    same caption are positives of one another.
    """
    rows = torch.randint(len(collection), (batch_size,), generator=generator)
    chooser = random.Random(int(torch.randint(2**31, (1,), generator=generator)))
    images = augment(to_input(collection.pixels[rows.numpy()]), generator)
    images, turned = turn_hues(images, collection.colours(rows), TURNED_SHARE, generator)
    captions = [
        without_colours(pool.captions[row]) if unnamed else pool.captions[row]
        for row, unnamed in zip(rows.tolist(), turned.tolist(), strict=True)
    ]
    texts = captions + [
        near_miss(caption, chooser, SLOTS if unnamed else NAMED_SLOTS)
        for caption, unnamed in zip(captions, turned.tolist(), strict=True)
    ]
    ids, mask = pool.tokens(texts)
    seen = encoder.get_image_features(pixel_values=images).pooler_output
    read = encoder.get_text_features(input_ids=ids, attention_mask=mask).pooler_output
    seen, read = F.normalize(seen.float(), dim=-1), F.normalize(read.float(), dim=-1)
    logits = encoder.logit_scale.exp().clamp(max=100.0) * seen @ read.T
    same = torch.tensor([[a == b for b in texts] for a in captions])
    to_text = _contrast(logits, same)
    to_image = _contrast(logits[:, :batch_size].T, same[:, :batch_size].T)
    return {"to_text": to_text, "to_image": 0.5 * to_image}


def _contrast(logits: torch.Tensor, same: torch.Tensor) -> torch.Tensor:
    """Cross entropy against a target spread evenly over all positives."""
    target = same.float() / same.sum(dim=1, keepdim=True)
    return -(target * F.log_softmax(logits, dim=1)).sum(dim=1).mean()


@torch.inference_mode()
def embed_pictures(encoder: CLIPModel, collection: Collection) -> torch.Tensor:
    """Normalised picture embeddings of a whole collection, (n, 128)."""
    parts = [
        encoder.get_image_features(
            pixel_values=to_input(collection.pixels[start : start + 500])
        ).pooler_output
        for start in range(0, len(collection), 500)
    ]
    return F.normalize(torch.cat(parts), dim=-1)


@torch.inference_mode()
def embed_texts(encoder: CLIPModel, pool: CaptionPool, texts: list[str]) -> torch.Tensor:
    """Normalised text embeddings, (n, 128)."""
    ids, mask = pool.tokens(texts)
    read = encoder.get_text_features(input_ids=ids, attention_mask=mask).pooler_output
    return F.normalize(read, dim=-1)


def recall_at_1(encoder: CLIPModel, pool: CaptionPool, collection: Collection) -> float:
    """Share of one-object pictures whose own caption is nearest among all one-object captions."""
    captions = single_captions()
    nearest = (embed_pictures(encoder, collection) @ embed_texts(encoder, pool, captions).T).argmax(
        1
    )
    wanted = [captions.index(caption) for caption in collection.captions()]
    return (nearest == torch.tensor(wanted)).float().mean().item()
