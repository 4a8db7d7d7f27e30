"""Maps of still lifes that nobody trained on, and what a picture made of one shows of it."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps

from editing.evaluation.frechet import frechet_distance
from editing.evaluation.overlap import overlap
from editing.layouts import Layout, Segment
from editing.pictures import picture_to_tensor
from editing.requests import Request
from stilllife.judge import Judge
from stilllife.render import render
from stilllife.scene import Scene
from stilllife.truth import PictureId
from transforms.pictures.masks import mark_region
from transforms.protocols import Encoder, Segmenter

FIRST_SEED = 930_000
"""Pictures of collections from here on are drawn for layouts alone."""

LEAST_SHARE = 0.05
"""Of the picture; what is smaller is left out of Eval-filtered and Eval-few."""

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class MapTask:
    """A prompt and a layout, with the real picture that they were read off."""

    scene: Scene
    picture: Image.Image
    layout: Layout

    @property
    def request(self) -> Request:
        """As an editor is asked for it: of the given picture nothing but the size is used."""
        blank = Image.new("RGB", self.layout.size)
        return Request(image=blank, prompt=self.scene.caption(), layout=self.layout)

    @property
    def mirrored_request(self) -> Request:
        """The same of the real picture mirrored, in which things lie elsewhere."""
        given = ImageOps.mirror(self.picture)
        return Request(image=given, prompt=self.scene.caption(), layout=self.layout)


def draw_maps(seed: int, count: int) -> list[MapTask]:
    """`count` maps, with one thing and with two in turn.

    Every one shows a combination of noun, colour and size that no network was trained on.
    """
    tasks: list[MapTask] = []
    for index in itertools.count():
        if len(tasks) == count:
            return tasks
        scene = PictureId(FIRST_SEED + seed, 100 * (len(tasks) % 2), index).scene()
        if scene.held_out:
            tasks.append(_task(scene))
    raise AssertionError("there are always more pictures")


def _task(scene: Scene) -> MapTask:
    drawn = render(scene)
    segments = tuple(
        Segment(thing.words, Image.fromarray(mask))
        for thing, mask in zip(scene.things, drawn.masks, strict=True)
    )
    return MapTask(scene, Image.fromarray(drawn.pixels), Layout(segments))


@dataclass(frozen=True, eq=False, kw_only=True)
class Shown:
    """What pictures show of their maps, a number for each picture.

    `overlap` is the mean over its segments of intersection over union with what the segmenter finds
    of their phrases; `filtered` the same of segments of at least 5% of the picture, NaN where there
    is none; `few` of pictures all of whose 1 to 3 segments are as large, else NaN. `right` is 1
    where the judge reads every attribute of the prompt, `cosine` that of picture and prompt by
    CLIP.
    """

    overlap: npt.NDArray[np.float64]
    filtered: npt.NDArray[np.float64]
    few: npt.NDArray[np.float64]
    right: npt.NDArray[np.float64]
    cosine: npt.NDArray[np.float64]
    fid: float


def measure_pictures(
    tasks: Sequence[MapTask],
    pictures: Sequence[Image.Image],
    *,
    segmenter: Segmenter,
    encoder: Encoder,
    judge: Judge,
) -> Shown:
    """What `pictures` show of the maps that they were made of; FID is from the real pictures."""
    overlaps = [
        _overlaps(task, picture, segmenter) for task, picture in zip(tasks, pictures, strict=True)
    ]
    shares = [[float(segment.marks().mean()) for segment in task.layout.segments] for task in tasks]
    filtered = [
        [iou for iou, share in zip(*each, strict=True) if share >= LEAST_SHARE]
        for each in zip(overlaps, shares, strict=True)
    ]
    few = [
        some if len(some) == len(task.layout.segments) <= 3 else []
        for some, task in zip(filtered, tasks, strict=True)
    ]
    shown = torch.stack([picture_to_tensor(picture) for picture in pictures])
    real = torch.stack([picture_to_tensor(task.picture) for task in tasks])
    readings = judge.read(shown)
    texts = encoder.encode_texts([task.scene.caption() for task in tasks])
    images = encoder.encode_images(list(pictures))
    with torch.inference_mode():
        features = [judge.body(each).double().numpy() for each in (shown, real)]
    return Shown(
        overlap=_means(overlaps),
        filtered=_means(filtered),
        few=_means(few),
        right=np.array(
            [
                float(reading == task.scene.attributes())
                for reading, task in zip(readings, tasks, strict=True)
            ]
        ),
        cosine=(images * texts).sum(1).astype(np.float64),
        fid=frechet_distance(*features),
    )


def _overlaps(task: MapTask, picture: Image.Image, segmenter: Segmenter) -> list[float]:
    """Intersection over union of each segment with what is found of its phrase."""
    phrases = list(task.layout.phrases)
    relevance = segmenter.relevance([picture] * len(phrases), phrases)
    found = [mark_region(each, picture.size) > 0 for each in relevance]
    drawn = [segment.marks() for segment in task.layout.segments]
    return [overlap(one, other) for one, other in zip(found, drawn, strict=True)]


def _means(values: Sequence[Sequence[float]]) -> npt.NDArray[np.float64]:
    return np.array([np.mean(each) if each else np.nan for each in values])
