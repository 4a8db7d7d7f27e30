"""A denoiser that looks where the model looks, and knows which way the layout lies.

After Couairon 2023, chapter 6. The step is equation 6.5,
z~_{t-1} = z_{t-1} - eta lambda(t) g / max |g|, with g the gradient of L_Zest at z_t.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from editing.attention.capture import Bias, Logits, Size, WordMaps, checkpointed, watch_attention
from editing.diffusion.model import LatentDiffusion, TextStates
from editing.diffusion.noise import Latents, alpha_at, spread
from editing.editors.zestguide.losses import layout_losses
from editing.editors.zestguide.settings import Way

Targets = Sequence[Tensor]
"""The segments of each example in pixels, (k, height, width) of k segments: 1 inside."""

RowTokens = Sequence[Sequence[Sequence[int]]]
"""The tokens of each segment of each example."""


@dataclass(eq=False, kw_only=True)
class LayoutGuide:
    """Denoises under a prompt, and pushes latents towards a layout.

    `denoise` is a denoiser for `sample`, `push` what it does after a step. `fades` has lambda(t) of
    the noise levels at which steps are pushed; the maps of the last of these are kept in `seen`.
    """

    model: LatentDiffusion
    text: TextStates
    empty_text: TextStates
    guidance_scale: float
    way: Way
    tokens: RowTokens
    targets: Targets
    fades: Mapping[int, float]
    checkpointing: bool = False
    seen: WordMaps | None = None
    _gradients: dict[int, Latents] = field(default_factory=dict)

    def denoise(self, z_t: Latents, t: int) -> Latents:
        """The noise in z_t, by classifier-free guidance."""
        conditional = self._conditional(z_t, t)
        if self.guidance_scale == 1:
            return conditional
        unconditional = self.model.predict_noise(z_t, _steps(t, z_t), self.empty_text)
        return unconditional + self.guidance_scale * (conditional - unconditional)

    def push(self, z: Latents, t: int) -> Latents:
        """The latent that the step from noise level t came to, pushed: equation 6.5."""
        gradient = self._gradients.pop(t, None)
        if gradient is None:
            return z
        largest = gradient.abs().amax(dim=(1, 2, 3), keepdim=True)
        # Where no place of a map depends on the latent, there is nowhere to go.
        direction = gradient / largest.clamp_min(torch.finfo(torch.float32).tiny)
        return z - self.way.eta * self.fades[t] * direction

    def _conditional(self, z_t: Latents, t: int) -> Latents:
        """The noise under the prompt; on the way the gradient, where the step is pushed."""
        if t not in self.fades and not self.way.paint:
            return self.model.predict_noise(z_t, _steps(t, z_t), self.text)
        size = (z_t.shape[-2], z_t.shape[-1])
        unet, way = self.model.unet, self.way
        bias = self._paint(t, z_t) if way.paint else None
        if t not in self.fades:
            with watch_attention(unet, latent_size=size, bias=bias):
                return self.model.predict_noise(z_t, _steps(t, z_t), self.text)
        # What was made for inference takes part in no gradient; copies do.
        with torch.inference_mode(mode=False), torch.enable_grad():
            z = z_t.clone().requires_grad_()
            with (
                checkpointed(unet, wanted=self.checkpointing),
                watch_attention(unet, latent_size=size, divisors=way.layers, bias=bias) as kept,
            ):
                noise = self.model.predict_noise(z, _steps(t, z), self.text.clone())
                maps = kept.take()
                losses = layout_losses(
                    maps,
                    self.tokens,
                    self._targets_at((maps.shape[1], maps.shape[2])),
                    weight_normalised=way.weight_normalised,
                )
                # The push takes the gradient's direction alone. As a sum over places, not their
                # mean, it is not lost in half precision.
                loss = torch.stack(losses).sum() * (maps.shape[1] * maps.shape[2])
                (gradient,) = torch.autograd.grad(loss, z)
        self._gradients[t] = gradient
        self.seen = maps.detach()
        return noise.detach()

    def _targets_at(self, size: Size) -> list[Tensor]:
        return [shrink(each, size) for each in self.targets]

    def _paint(self, t: int, like: Latents) -> Bias:
        """Paint-with-words (Balaji et al. 2022): w log(1 + sigma) max(Q K^T) where a phrase is."""
        alpha = alpha_at(self.model.alphas_cumprod, _steps(t, like)[:1])
        sigma = ((1 - alpha) / alpha).sqrt()
        weight = self.way.paint * torch.log1p(sigma)

        def bias(logits: Logits, size: Size) -> Tensor:
            marks = logits.new_zeros(len(logits), size[0] * size[1], logits.shape[-1])
            for row, targets in enumerate(self._targets_at(size)):
                for target, tokens in zip(targets, self.tokens[row], strict=True):
                    for token in tokens:
                        marks[row, :, token] += (target > 0.5).flatten().to(marks.dtype)
            largest = logits.detach().amax(dim=(1, 2, 3)).clamp_min(0)
            return spread(largest * weight) * marks.clamp(max=1)[:, None]

        return bias


def shrink(masks: Float[Tensor, "k height width"], size: Size) -> Float[Tensor, "k h w"]:
    """Masks at a map's size: the share of each place that is inside."""
    return F.adaptive_avg_pool2d(masks, size)


def plan_fades(levels: Sequence[int], way: Way, alphas_cumprod: Tensor) -> dict[int, float]:
    """lambda(t) of the noise levels at which a step is pushed: those of i < tau N.

    N is the number of `levels`: a picture that is noised to a strength is pushed in the same share
    of its fewer steps.
    """
    steps = len(levels)
    pushed = [(i, t) for i, t in enumerate(levels) if i < way.tau * steps and way.eta > 0]
    if way.fade == "linear":
        return {t: 1 - i / steps for i, t in pushed}
    return {t: float((1 - alphas_cumprod[t]).sqrt()) for _, t in pushed}


def _steps(t: int, like: Latents) -> Tensor:
    return torch.full((len(like),), t, device=like.device, dtype=torch.long)
