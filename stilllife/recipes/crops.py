"""Views of one picture for learning without labels: crops that shall agree, in all but what varies.

What does not vary is what a network learns to look at. On this world's pictures that would be the
pattern behind things, so backgrounds are painted over, anew in each crop. Which pixels those are is
guessed by the pictures alone: ones that have a colour of the picture's border.
"""

import math

import torch
import torch.nn.functional as F

from stilllife.scene import PICTURE_SIZE

BORDER_STEP = 2
"""Every so many pixels of the border a colour is taken, of the picture at half its size."""

NEAREST = 5
"""A pixel is as strange as its distance to the border's colour that is so many-th nearest: a thing
that touches the border gives few of the border's colours."""

STRANGE = 0.14
"""Distance of colours, of values in [0, 1], at which a pixel is as likely thing as background."""

AIMED_SHARE = 0.95
"""Share of crops that are laid around a pixel that is strange; the others lie anywhere."""


def strangeness(pictures: torch.Tensor) -> torch.Tensor:
    """How unlike the border's colours each pixel is, (n, 1, 64, 64) in [0, 1].

    `pictures` are (n, 3, 64, 64) in [-1, 1].
    """
    small = F.avg_pool2d((pictures + 1) / 2, 2)
    edges = (small[:, :, 0], small[:, :, -1], small[:, :, :, 0], small[:, :, :, -1])
    border = torch.cat([edge[..., ::BORDER_STEP] for edge in edges], dim=2).transpose(1, 2)
    apart = torch.cdist(small.flatten(2).transpose(1, 2), border)
    nearest = apart.kthvalue(NEAREST, dim=2).values.view(-1, 1, *small.shape[-2:])
    likely = torch.sigmoid((nearest - STRANGE) * 40)
    return F.interpolate(likely, scale_factor=2, mode="bilinear")


class Views:
    """Crops of pictures (n, 3, 64, 64) in [-1, 1]; each call gives another of every picture.

    `repainted` is the share of crops whose background is painted over.
    """

    def __init__(
        self, pictures: torch.Tensor, generator: torch.Generator, *, repainted: float
    ) -> None:
        self.generator = generator
        self.repainted = repainted
        self.strange = strangeness(pictures)
        self.seen = torch.cat([pictures, self.strange], dim=1)

    def crop(self, size: int, share: tuple[float, float]) -> torch.Tensor:
        """A crop of each picture at `size` pixels, of so much of its side at least and at most."""
        n = len(self.seen)
        side = self._uniform(*share, n)
        reach = 1 - side
        aimed = (self._uniform(0, 1, n) < AIMED_SHARE)[:, None]
        centre = torch.where(aimed, self._strange_points(), 2 * self._uniform(0, 1, n, 2) - 1)
        centre = torch.minimum(torch.maximum(centre, -reach[:, None]), reach[:, None])
        flip = torch.where(self._uniform(0, 1, n) < 0.5, 1.0, -1.0)
        zero = torch.zeros(n)
        theta = torch.stack(
            [
                torch.stack([side * flip, zero, centre[:, 0]], 1),
                torch.stack([zero, side, centre[:, 1]], 1),
            ],
            dim=1,
        )
        grid = F.affine_grid(theta, [n, 4, size, size], align_corners=False)
        cut = F.grid_sample(self.seen, grid, padding_mode="border", align_corners=False)
        return self._jitter(self._repaint(cut[:, :3], cut[:, 3:]))

    def _uniform(self, low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(*shape, generator=self.generator)

    def _strange_points(self) -> torch.Tensor:
        """A point (x, y) in [-1, 1] of each picture, drawn by strangeness, a little moved."""
        chance = self.strange.flatten(1) + 1e-4
        place = torch.multinomial(chance, 1, generator=self.generator)[:, 0]
        point = torch.stack([place % PICTURE_SIZE, place // PICTURE_SIZE], 1)
        return (point + 0.5) / PICTURE_SIZE * 2 - 1 + self._uniform(-0.2, 0.2, *point.shape)

    def _repaint(self, pictures: torch.Tensor, strange: torch.Tensor) -> torch.Tensor:
        """The pictures with random textures where they look like background."""
        n, _, height, width = pictures.shape
        cells = int(torch.randint(1, 9, (), generator=self.generator))
        coarse = torch.rand(n, 1, cells, cells, generator=self.generator)
        wave = F.interpolate(coarse, size=(height, width), mode="nearest")
        colour, other = (self._uniform(-0.6, 0.95, n, 3, 1, 1) for _ in range(2))
        grey = colour.mean(1, keepdim=True)
        colour = grey + 0.35 * (colour - grey)
        texture = colour + 0.35 * wave * (other - colour)
        texture = texture + 0.03 * torch.randn(texture.shape, generator=self.generator)
        often = (self._uniform(0, 1, n) < self.repainted).float().view(-1, 1, 1, 1)
        return pictures * (1 - often * (1 - strange)) + texture * often * (1 - strange)

    def _jitter(self, pictures: torch.Tensor) -> torch.Tensor:
        """Another light, contrast, saturation and hue, blur and grain."""
        n = len(pictures)
        unit = (pictures + 1) / 2 * self._uniform(0.75, 1.2, n, 1, 1, 1)
        angle = self._uniform(-math.pi / 10, math.pi / 10, n)
        chroma = self._uniform(0.7, 1.3, n)
        # Rotation of RGB about its grey axis: a circulant matrix with rows (a, b, c).
        cos, sin = chroma * angle.cos(), chroma * angle.sin() / math.sqrt(3)
        a, b, c = cos + (1 - cos) / 3, (1 - cos) / 3 - sin, (1 - cos) / 3 + sin
        rotation = torch.stack([a, b, c, c, a, b, b, c, a], dim=1).view(n, 3, 3)
        unit = torch.einsum("nij,njhw->nihw", rotation, unit)
        mean = unit.mean((1, 2, 3), keepdim=True)
        unit = mean + (unit - mean) * self._uniform(0.8, 1.2, n, 1, 1, 1)
        soft = F.avg_pool2d(F.pad(unit, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        blurred = self._uniform(0, 1, n, 1, 1, 1) < 0.2
        unit = torch.where(blurred, soft, unit)
        grain = torch.randn(unit.shape, generator=self.generator)
        unit = unit + grain * self._uniform(0, 0.03, n, 1, 1, 1)
        return unit.clamp(0, 1) * 2 - 1
