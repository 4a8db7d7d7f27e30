"""The attention of a noise network to words, kept for a loss or a picture, and steered by a bias.

A_l = softmax(Q_l K_l^T / sqrt(d)) is equation 6.2 of Couairon 2023, from places of the picture to
tokens of the text. Processors are put into the network by a context manager; afterwards its own
are back, whatever happened.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from editing.errors import SettingError

Size = tuple[int, int]
"""Height and width in places."""

Logits = Float[Tensor, "b heads n tokens"]
"""Q K^T / sqrt(d) of one layer, its places in rows from the top."""

WordMaps = Float[Tensor, "b h w tokens"]
"""How much each place looks at each token; the sum over tokens is 1."""

Bias = Callable[[Logits, Size], Tensor]
"""What is added to a layer's logits, of the logits and its height and width in places."""


@dataclass(frozen=True)
class _LayerMaps:
    """Probabilities of one layer, summed over its heads."""

    summed: WordMaps
    heads: int


@dataclass(eq=False)
class KeptMaps:
    """The maps of the pass that is watched; gradients go through them."""

    layers: list[_LayerMaps] = field(default_factory=list)
    open: bool = True

    def take(self) -> WordMaps:
        """The mean over layers and heads, at the finest resolution that is kept.

        From here on nothing more is kept: a checkpointed pass, which is made again for the
        gradient, leaves no second maps.

        Raises:
            RuntimeError: no pass was made.
        """
        self.open = False
        if not self.layers:
            raise RuntimeError("no pass was made whose maps could be taken")
        size = max((each.summed.shape[1], each.summed.shape[2]) for each in self.layers)
        enlarged = [_enlarge(each.summed, size) for each in self.layers]
        return torch.stack(enlarged).sum(0) / sum(each.heads for each in self.layers)


def word_layers(unet: Any) -> dict[str, Any]:
    """The layers of a diffusers network that look at words, by their names."""
    from diffusers.models.attention_processor import Attention

    return {
        name: module
        for name, module in unet.named_modules()
        if isinstance(module, Attention) and module.is_cross_attention
    }


@contextmanager
def watch_attention(
    unet: Any, *, latent_size: Size, divisors: Sequence[int] = (), bias: Bias | None = None
) -> Iterator[KeptMaps]:
    """Keeps the maps of the network's next pass, made inside, and adds `bias` to all logits.

    Maps are kept of layers whose sides are those of the latent, `latent_size` (height, width),
    over one of `divisors`; of every layer where there are none.
    """
    kept = KeptMaps()
    layers = word_layers(unet).values()
    own = [(layer, layer.processor) for layer in layers]
    try:
        for layer in layers:
            processor = _Watching(kept, latent_size, frozenset(divisors), bias)
            layer.set_processor(processor)
        yield kept
    finally:
        for layer, processor in own:
            layer.set_processor(processor)


def attended_divisors(unet: Any) -> tuple[int, ...]:
    """At which fractions of a latent's sides the network looks at words, finest first.

    A network halves its latent between its blocks; 2 is half of the latent's side.
    """
    found = set()
    last = len(unet.config.block_out_channels) - 1
    for name in word_layers(unet):
        room, _, rest = name.partition(".")
        place = last if room == "mid_block" else int(rest.split(".")[0])
        found.add(2 ** (last - place if room == "up_blocks" else place))
    return tuple(sorted(found))


def require_divisors(unet: Any, divisors: Sequence[int]) -> None:
    """Make sure that the network looks at words at every one of `divisors`.

    Raises:
        SettingError: at one it does not.
    """
    there = attended_divisors(unet)
    for divisor in divisors:
        if divisor not in there:
            raise SettingError(
                f"layers must be among {', '.join(map(str, there))}, where this model looks at "
                f"words, got {divisor}"
            )


@contextmanager
def checkpointed(unet: Any, *, wanted: bool) -> Iterator[None]:
    """With `wanted`, gradients inside hold a block's numbers only while they are needed.

    Every block's pass is made twice for it. Afterwards the network is as it was.
    """
    before = unet.is_gradient_checkpointing
    if not wanted or before:
        yield
        return
    unet.enable_gradient_checkpointing()
    try:
        yield
    finally:
        unet.disable_gradient_checkpointing()


@dataclass(frozen=True, eq=False)
class _Watching:
    """An attention processor that keeps what it sees: plain attention, with its probabilities."""

    kept: KeptMaps
    latent_size: Size
    divisors: frozenset[int]
    bias: Bias | None

    def __call__(
        self,
        attn: Any,
        hidden_states: Float[Tensor, "b n d"],
        encoder_hidden_states: Float[Tensor, "b tokens e"],
        attention_mask: Tensor | None = None,
        **_: Any,
    ) -> Float[Tensor, "b n d"]:
        words = encoder_hidden_states
        if attn.norm_cross:
            words = attn.norm_encoder_hidden_states(words)
        query, key, value = (
            _split_heads(each, attn.heads)
            for each in (attn.to_q(hidden_states), attn.to_k(words), attn.to_v(words))
        )
        logits = query.float() @ key.float().transpose(-1, -2) * attn.scale
        if attention_mask is not None:
            mask = attn.prepare_attention_mask(attention_mask, words.shape[1], len(words))
            logits = logits + mask.view(len(words), attn.heads, -1, mask.shape[-1])
        size, divisor = _size_of(hidden_states.shape[1], self.latent_size)
        if self.bias is not None:
            logits = logits + self.bias(logits, size)
        probabilities = logits.softmax(dim=-1)
        self._keep(probabilities, size, divisor)
        mixed = probabilities.to(value.dtype) @ value
        joined = mixed.transpose(1, 2).flatten(2)
        output: Tensor = attn.to_out[1](attn.to_out[0](joined))
        scaled: Tensor = output / attn.rescale_output_factor
        return scaled

    def _keep(self, probabilities: Logits, size: Size, divisor: int) -> None:
        summed = probabilities.sum(1).reshape(len(probabilities), *size, -1)
        if self.kept.open and (not self.divisors or divisor in self.divisors):
            self.kept.layers.append(_LayerMaps(summed, probabilities.shape[1]))


def _split_heads(states: Float[Tensor, "b n d"], heads: int) -> Float[Tensor, "b heads n e"]:
    split: Tensor = states.unflatten(-1, (heads, -1)).transpose(1, 2)
    return split


def _size_of(places: int, latent_size: Size) -> tuple[Size, int]:
    """Height and width of a layer of so many places, and what the latent's are divided by."""
    height, width = latent_size
    divisor = 1
    while height // divisor * (width // divisor) > places:
        divisor *= 2
    return (height // divisor, width // divisor), divisor


def _enlarge(maps: WordMaps, size: Size) -> Float[Tensor, "b height width tokens"]:
    if tuple(maps.shape[1:3]) == size:
        return maps
    channels_first = maps.permute(0, 3, 1, 2)
    enlarged = F.interpolate(channels_first, size=size, mode="bilinear", align_corners=False)
    return enlarged.permute(0, 2, 3, 1)
