"""Told still lifes and very small random networks: a whole index and build in a second or two."""

from dataclasses import dataclass
from pathlib import Path

from fakes.presets import save_preset_file
from pipelines.build.plan import BuildOptions, plan_build
from pipelines.index.plan import IndexPlan
from pipelines.sources import open_source
from pipelines.still_life.source import StillLifeSource
from transforms.presets import Preset, load_preset
from transforms.rewrite import RewriteOptions

POOL = StillLifeSource(count=600, seed=5, shard_size=200, told=True, two_objects_percent=0)
# The last ten are not in the pool.
SOURCE = StillLifeSource(
    count=40, start=570, seed=5, shard_size=15, told=True, two_objects_percent=0
)


@dataclass(frozen=True)
class InterruptedSource:
    """`whole`, but Ctrl-C comes when the picture at `position` is asked for."""

    whole: StillLifeSource
    position: int

    def shards(self):
        return self.whole.shards()

    def read(self, shard):
        for picture in self.whole.read(shard):
            if picture.position == self.position:
                raise KeyboardInterrupt
            yield picture

    def open(self, reference):
        return self.whole.open(reference)

    def describe(self):
        return self.whole.describe()


def save_preset(folder: Path) -> Preset:
    """The tiny preset, its networks saved in `folder`."""
    return load_preset(str(save_preset_file(folder)))


def plan_index(preset, folder, *, source=POOL, **settings):
    settings = {"captions": "source", "batch_size": 16} | settings
    return IndexPlan(source=source, preset=preset, folder=str(folder), **settings)


def plan_pairs(preset, index_folder, folder, *, source=SOURCE, **settings):
    rewrite = {"rewrite": RewriteOptions(edits=4)}
    options = BuildOptions(**({"captions": "source", "batch_size": 8} | rewrite | settings))
    return plan_build(
        source=source,
        index_folder=str(index_folder),
        open_pool=open_source,
        preset=preset,
        options=options,
        folder=str(folder),
    )
