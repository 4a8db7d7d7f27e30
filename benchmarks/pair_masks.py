r"""How well the masks of pairs lie on what is edited, by each region finder, on still lifes.

    python benchmarks/pair_masks.py [--pool N] [--sources N] [--regions NAME ...] [--seed N] \
        [--json] [--work DIR]

A pool of still lifes, half of them with two objects, is indexed, and pairs are built of some of its
pictures, of those with one object and of those with two, once for each region finder of `build
--regions`: the same pairs, with other masks. No stage is told the truth. Afterwards the renderer
says where in source and target the edited thing is (where the background is edited: where no thing
is), and both masks of every right pair are laid over that. Edits of the background are told apart.
`--work DIR` keeps index and pairs.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import support.silent_libraries  # noqa: F401
from support.intervals import bootstrap_mean
from support.reporting import Target, finish
from support.still_life_job import Job, add_job_flags, open_job, open_work

from editing.evaluation.overlap import marks_of, overlap
from editing.layouts import Marks
from editing.regions.registry import REGIONS
from pipelines.build.job import run_build
from pipelines.build.plan import BuildOptions
from pipelines.build.regions import BY_SEGMENTER
from pipelines.running.execution import Execution
from pipelines.still_life.edit_truth import true_region
from pipelines.still_life.pair_truth import judge_row
from pipelines.still_life.source import StillLifeSubset
from pipelines.terminal.console import CommandError, print_table
from transforms.dataset.reader import Pair, open_pairs

SIDES = ("source", "target")
BACKGROUND = "background"


@dataclass(frozen=True, kw_only=True)
class MaskedPair:
    """One right pair: what is edited, both masks, and where they truly should be."""

    kind: str
    found: tuple[Marks, Marks]
    true: tuple[Marks, Marks]

    def overlaps(self) -> list[float]:
        """Intersection over union with the truth, of the source's mask and the target's."""
        return [overlap(one, other) for one, other in zip(self.found, self.true, strict=True)]


def read_pairs(folder: Path) -> dict[str, MaskedPair]:
    """The right pairs of a data set of still lifes, by their keys."""
    judged = {pair.key: (pair, judge_row(pair.row)) for pair in open_pairs(folder)}
    found = {}
    for key, (pair, verdict) in judged.items():
        true = _true_masks(pair)
        if verdict.right and true is not None:
            masks = marks_of(pair.source_mask), marks_of(pair.target_mask)
            found[key] = MaskedPair(kind=verdict.attribute, found=masks, true=true)
    return found


def _true_masks(pair: Pair) -> tuple[Marks, Marks] | None:
    """Of the source for the edit, and of the target for the way back."""
    source = true_region(pair.source_key, pair.edit_prompt)
    target = true_region(pair.target_key, pair.caption)
    return None if source is None or target is None else (source, target)


def build_pairs(job: Job, source: StillLifeSubset, regions: str) -> tuple[Path, float | None]:
    """The folder of pairs whose masks `regions` makes, and the seconds that the masks took.

    None where they were there.
    """
    drawn = f"sources{source.drawn}-objects{source.objects}"
    folder = job.work / f"pairs-{job.index_folder.name}-{drawn}-{regions}"
    options = BuildOptions(seed=source.draw_seed, captions=job.captions, regions=regions)
    summary = run_build(job.plan(source, options, folder), Execution(), overwrite=True)
    return folder, summary.seconds.get("Segment")


def describe(pairs: Mapping[str, MaskedPair], beside: Mapping[str, MaskedPair]) -> dict[str, Any]:
    """Figures of pairs of things, and of each kind of edit; `beside` are other masks of them."""
    groups = {"things": {key: each for key, each in pairs.items() if each.kind != BACKGROUND}}
    for kind in sorted({each.kind for each in pairs.values()}):
        groups[kind] = {key: each for key, each in pairs.items() if each.kind == kind}
    return {name: _describe(some, beside) for name, some in groups.items() if some}


def _describe(some: Mapping[str, MaskedPair], beside: Mapping[str, MaskedPair]) -> dict[str, Any]:
    """Means over pairs; intervals are of means over both masks of a pair.

    `as_others` is how far masks overlap with those of `beside`, `more` by how much more than those
    with the truth.
    """
    found = np.array([each.overlaps() for each in some.values()])
    others = np.array([beside[key].overlaps() for key in some])
    masks = [(mask, other) for key in some for mask, other in _both(some[key], beside[key])]
    more = (found - others).mean(1).tolist()
    return {
        "pairs": len(some),
        **dict(zip(SIDES, found.mean(0).tolist(), strict=True)),
        "both": float(found.mean()),
        "interval": bootstrap_mean(found.mean(1).tolist()),
        "more": float(np.mean(more)),
        "more_interval": bootstrap_mean(more),
        "as_others": float(np.mean([_alike(mask, other) for mask, other in masks])),
        "empty": sum(not mask.any() for mask, _ in masks),
        "whole": sum(bool(mask.all()) for mask, _ in masks),
    }


def _both(one: MaskedPair, other: MaskedPair) -> list[tuple[Marks, Marks]]:
    return list(zip(one.found, other.found, strict=True))


def _alike(one: Marks, other: Marks) -> float:
    return overlap(one, other) if (one | other).any() else 1.0


def measure(job: Job, source: StillLifeSubset, regions: Sequence[str]) -> dict[str, Any]:
    """The figures of each finder, of the pairs that all have."""
    folders: dict[str, Path] = {}
    seconds: dict[str, float | None] = {}
    for name in regions:
        print(f"{name}: {source.drawn} sources, objects in each: {source.objects}", flush=True)
        folders[name], seconds[name] = build_pairs(job, source, name)
    masks = {name: read_pairs(folder) for name, folder in folders.items()}
    first = masks[regions[0]]
    if any(found.keys() != first.keys() for found in masks.values()):
        raise RuntimeError("which pairs there are must not depend on who makes their masks")
    if all(each.kind == BACKGROUND for each in first.values()):
        raise CommandError("no right pair of a thing: take more --sources or a larger --pool")
    return {
        name: {
            "seconds_a_pair": None if (spent := seconds[name]) is None else spent / len(first),
            "kinds": describe(found, first),
        }
        for name, found in masks.items()
    }


def print_figures(objects: str, finders: Mapping[str, Any]) -> None:
    """A table of each kind of edit."""
    names = list(finders)
    columns = ("by", *SIDES, "empty", "whole", f"as {names[0]}", "s a pair")
    kinds = finders[names[0]]["kinds"]
    for kind in kinds:
        rows = []
        for name, found in finders.items():
            figures = found["kinds"][kind]
            shown = (figures[column] for column in (*SIDES, "empty", "whole", "as_others"))
            spent = found["seconds_a_pair"]
            rows.append((name, *shown, "" if spent is None else spent))
        title = f"{objects}, {kind}: IoU with the truth, {kinds[kind]['pairs']} pairs"
        print_table(title, rows, columns=columns)


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """The masks of things beside the truth, to inform."""
    targets = []
    for objects, finders in figures["objects"].items():
        first = next(iter(finders))
        for name, found in finders.items():
            things = found["kinds"]["things"]
            line = f"{objects}, {name}: IoU of masks with the thing"
            targets.append(Target(name=line, value=things["both"], interval=things["interval"]))
            if name != first:
                more = (things["more"], things["more_interval"])
                line = f"{objects}, {name}: more than {first}"
                targets.append(Target(name=line, value=more[0], interval=more[1]))
    return targets


def main() -> None:
    """Indexes, builds, lays masks over the truth, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pool", type=int, default=4_000, help="pictures in it (default 4000)")
    parser.add_argument("--sources", type=int, default=400, help="of each kind (default 400)")
    parser.add_argument(
        "--regions",
        nargs="+",
        choices=list(REGIONS),
        default=[BY_SEGMENTER, *(name for name in REGIONS if name != BY_SEGMENTER)],
        metavar="NAME",
        help="who makes masks; the others are compared with the first (default all)",
    )
    add_job_flags(parser)
    arguments = parser.parse_args()
    with open_work(arguments) as work:
        job = open_job(arguments, work, pool=arguments.pool)
        print(f"indexing {arguments.pool} pictures in {job.index_folder}", flush=True)
        job.index(workers=1)
        found = {}
        for objects, number in (("one object", 1), ("two objects", 2)):
            source = StillLifeSubset(
                collection=job.pool,
                objects=number,
                drawn=arguments.sources,
                draw_seed=arguments.seed,
            )
            found[objects] = measure(job, source, list(dict.fromkeys(arguments.regions)))
    for objects, finders in found.items():
        print_figures(objects, finders)
    figures = {"pool": arguments.pool, "sources": arguments.sources, "objects": found}
    finish(arguments, figures=figures, targets=list_targets(figures))


if __name__ == "__main__":
    main()
