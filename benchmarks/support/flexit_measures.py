"""What FlexIT's edits are measured by: as section 4.4 of Couairon's thesis, and what fools CLIP.

The judge of the still life, which no editor sees, stands for the thesis's three networks: DeiT (the
accuracy), InceptionV3 (the simplified FID) and AlexNet (LPIPS, here without learned weights).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from editing.pictures import picture_to_tensor
from stilllife.edits import changed_attributes, judge_edit
from stilllife.judge import Judge
from stilllife.render import render
from stilllife.truth import PictureId, possible_edits
from support.intervals import wilson
from support.kept_edits import KeptEdits
from support.region_tasks import FIRST_SEED, RegionTask, judge_edits
from transforms.protocols import Encoder

REAL = 2000
"""Real pictures that distributions are compared with."""

LAYERS = (6, 12, 18, 24)
"""Where the judge's body has ended a block: what pictures are compared by there."""

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Measures:
    """What became of the edits of a cell, a number for each.

    `both` 1 where the edited attribute and all others are right, `edited` where that attribute is;
    `error` what changed outside of the thing, `believed` 1 where CLIP finds the prompt nearest of
    all of its cluster, `lpips` the distance from the source, `features` (n, d) the judge's.
    """

    both: Numbers
    edited: Numbers
    error: Numbers
    believed: Numbers
    lpips: Numbers
    features: Numbers

    @property
    def fooled(self) -> Numbers:
        """1 where CLIP sees the attribute that was asked for, and the judge does not."""
        return self.believed * (1 - self.edited)


@dataclass(frozen=True, eq=False)
class EditMeter:
    """Measures the edits of `tasks`; `encoder` is the CLIP that they were made by."""

    tasks: Sequence[RegionTask]
    encoder: Encoder
    judge: Judge
    _clusters: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._clusters.extend(map(cluster_of, self.tasks))

    def measure(self, kept: KeptEdits) -> Measures:
        """All that is measured of a cell."""
        columns: dict[str, list[float]] = {"both": [], "edited": [], "error": []}
        for task, image in zip(self.tasks, kept.images, strict=True):
            verdicts = judge_edits(task, picture_to_tensor(image)[None], self.judge)
            for name, values in columns.items():
                values.append(getattr(verdicts, name).item())
        return Measures(
            **{name: np.array(values) for name, values in columns.items()},
            believed=self._believed(kept.images),
            lpips=self._lpips(kept.images),
            features=read_features(self.judge, kept.images),
        )

    def _believed(self, images: Sequence[Image.Image]) -> Numbers:
        texts = sorted({text for cluster in self._clusters for text in cluster})
        vectors = dict(zip(texts, self.encoder.encode_texts(texts), strict=True))
        found = []
        for vector, task, cluster in zip(
            self.encoder.encode_images(images), self.tasks, self._clusters, strict=True
        ):
            cosines = [float(vector @ vectors[text]) for text in cluster]
            found.append(float(cluster[int(np.argmax(cosines))] == task.prompt))
        return np.array(found)

    def _lpips(self, images: Sequence[Image.Image]) -> Numbers:
        made = torch.stack([picture_to_tensor(image) for image in images])
        sources = torch.stack([picture_to_tensor(task.image) for task in self.tasks])
        return perceptual_distance(self.judge, made, sources)


def cluster_of(task: RegionTask) -> list[str]:
    """The source's caption, and all prompts that change the attribute that the task changes."""
    (name,) = changed_attributes(task.scene, task.prompt)
    prompts = possible_edits(task.scene)
    same = [each for each in prompts if set(changed_attributes(task.scene, each)) == {name}]
    return [task.caption, *same]


@torch.no_grad()
def read_features(judge: Judge, images: Sequence[Image.Image]) -> Numbers:
    """The judge's features of pictures, (n, d): the means over places of its last block."""
    pictures = torch.stack([picture_to_tensor(image) for image in images])
    maps = [judge.body[: LAYERS[-1]](some) for some in pictures.split(250)]
    features: Numbers = torch.cat(maps).mean((2, 3)).double().numpy()
    return features


@torch.no_grad()
def perceptual_distance(judge: Judge, made: Tensor, sources: Tensor) -> Numbers:
    """LPIPS (Zhang et al. 2018) by the judge's blocks, each layer and channel of weight 1."""
    total = torch.zeros(len(made))
    one, other = made, sources
    for start, stop in zip((0, *LAYERS), LAYERS, strict=False):
        one, other = (judge.body[start:stop](each) for each in (one, other))
        gap = F.normalize(one, dim=1) - F.normalize(other, dim=1)
        total += gap.square().sum(1).mean((1, 2))
    distances: Numbers = total.double().numpy()
    return distances


def simplified_fid(made: Numbers, real: Numbers) -> float:
    """The Frechet distance of two normal distributions without correlations (Kim et al. 2020).

    Features are (n, d) and (m, d): |mean - mean'|^2 + |deviation - deviation'|^2.
    """
    means = ((made.mean(0) - real.mean(0)) ** 2).sum()
    deviations = ((made.std(0) - real.std(0)) ** 2).sum()
    return float(means + deviations)


@dataclass(frozen=True, eq=False)
class RealPictures:
    """Features of real pictures, and what stands in each: the values of its attributes."""

    features: Numbers
    values: Sequence[frozenset[str]]

    def distances(self, found: Measures, tasks: Sequence[RegionTask]) -> tuple[float, float]:
        """SFID and CSFID of edits: from all real pictures, and the mean over target classes.

        A class is the value that an edit asks for, such as `apple`; its real pictures show it.
        """
        classes = [_target(task) for task in tasks]
        each = []
        for name in sorted(set(classes)):
            rows = [row for row, kind in enumerate(classes) if kind == name]
            real = [row for row, values in enumerate(self.values) if name in values]
            if len(rows) > 1:
                each.append(simplified_fid(found.features[rows], self.features[real]))
        return simplified_fid(found.features, self.features), float(np.mean(each))


def draw_real(judge: Judge, seed: int, *, two_objects_percent: int) -> RealPictures:
    """Fresh real pictures of the same world, of a seed that no edit is drawn from."""
    keys = [PictureId(FIRST_SEED + 500 + seed, two_objects_percent, n) for n in range(REAL)]
    scenes = [key.scene() for key in keys]
    images = [Image.fromarray(render(scene).pixels) for scene in scenes]
    values = [frozenset(scene.attributes().values()) for scene in scenes]
    return RealPictures(read_features(judge, images), values)


def _target(task: RegionTask) -> str:
    (value,) = changed_attributes(task.scene, task.prompt).values()
    return value


def describe(
    found: Measures, kept: KeptEdits, tasks: Sequence[RegionTask], real: RealPictures
) -> dict[str, Any]:
    """A cell as figures."""
    sfid, csfid = real.distances(found, tasks)
    kinds = {
        kind: {
            name: float(np.mean(getattr(found, name)[[task.kind == kind for task in tasks]]))
            for name in ("both", "edited", "fooled")
        }
        for kind in dict.fromkeys(task.kind for task in tasks)
    }
    return {
        "both": float(found.both.mean()),
        "both_interval": wilson(round(found.both.sum()), len(tasks)),
        "accuracy": float(found.edited.mean()),
        "error": float(found.error.mean()),
        "believed": float(found.believed.mean()),
        "fooled": float(found.fooled.mean()),
        "fooled_interval": wilson(round(found.fooled.sum()), len(tasks)),
        "lpips": float(found.lpips.mean()),
        "sfid": sfid,
        "csfid": csfid,
        "kinds": kinds,
        "seconds": kept.seconds,
        "device": kept.device,
    }


def read_judgement(judge: Judge, image: Image.Image, task: RegionTask) -> Mapping[str, bool]:
    """Of each attribute whether the judge reads it off a picture as the task's prompt wants it."""
    (reading,) = judge.read(picture_to_tensor(image)[None])
    return judge_edit(reading, task.scene, task.prompt).attributes
