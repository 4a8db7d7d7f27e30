"""The learned-region editor against other ways to choose a region, on still lifes.

    python benchmarks/region_table.py [--edits N] [--two N] [--swept N] [--fitted N]
        [--backends NAME ...] [--net DIR] [--work DIR] [--sheet FILE] [--dtype NAME]
        [--seed N] [--json]

Every task is an edit of colour, noun or size in a picture whose thing no network was trained on in
that combination. All boxes of all tasks are painted once, so that rules differ in their choice
alone: the default, other numbers of sizes, losses left out, the paper's ranking, a network fitted
to each picture by either objective, the shipped network that sees the text, random boxes and the
segmenter's mask. Of the first `--swept` tasks the boxes around more anchors are painted, and judged
in other ways. A judge that no rule sees tells whether an edit is right: the asked
attribute and all others. What is changed outside of the true thing is the error. Painted boxes are
kept in `--work`, so that an interrupted run goes on there. Seconds are those of one core's CPU.
"""

import argparse
import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from support.intervals import bootstrap_mean, wilson
from support.region_bank import ALL_WAYS, STRENGTHS, Bench, Row, fill_bank, noise_of
from support.region_masks import measure_masks
from support.region_networks import NETWORK, edit_once, fit_all, open_task
from support.region_rules import (
    DEFAULT,
    Kept,
    count_failures,
    keep,
    known_picks,
    random_picks,
    swept_picks,
)
from support.region_sheet import draw_page
from support.region_targets import (
    BACKEND,
    MAIN,
    ONE,
    TWO,
    list_targets,
    stand_all,
    stand_beside_fitted,
)
from support.region_tasks import RegionTask, count_kinds, draw_tasks
from support.reporting import add_report_flags, finish

from editing.diffusion.settings import DTYPES
from editing.editors.learned_regions.settings import BACKENDS, LearnedRegionSettings
from editing.parts import Parts
from editing.regions.finder import RegionFinder
from editing.regions.learned_spec import LEARNED, REGION_NET
from editing.regions.segmenter_spec import SEGMENTER
from pipelines.terminal.console import print_table
from stilllife.judge import load_judge
from transforms.dataset.files import write_bytes
from transforms.pictures.decoding import encode_png
from transforms.presets import load_preset

SWEPT = (1, 3, 5, 9)
SIZES = 7


def main() -> None:
    """Measures, prints tables and ends with a line of JSON."""
    arguments = read_arguments()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or Path(temporary)
        figures = measure(arguments, work)
    finish(arguments, figures=figures, targets=list_targets(figures))


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edits", type=int, default=300, help="tasks with one thing")
    parser.add_argument("--two", type=int, default=100, help="tasks with two things")
    parser.add_argument("--swept", type=int, default=60, help="tasks that K is swept on")
    parser.add_argument("--fitted", type=int, default=300, help="tasks that networks are fitted to")
    parser.add_argument("--drawn", type=int, default=20, help="of which by drawn boxes as well")
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--preset", default="stilllife")
    parser.add_argument("--net", type=Path, help="a run of train in place of the shipped network")
    parser.add_argument("--dtype", choices=DTYPES, default="bfloat16", help="of what paints")
    parser.add_argument("--work", type=Path, help="where painted boxes are kept")
    parser.add_argument("--sheet", type=Path, help="write a page of edits, a PNG file")
    add_report_flags(parser)
    arguments = parser.parse_args()
    if arguments.sheet is not None and BACKEND not in arguments.backends:
        parser.error(f"--sheet shows edits by {BACKEND}: --backends must name it")
    return arguments


@dataclass(frozen=True)
class Painted:
    """What was painted for each backend and number of things, and what the rules kept of it.

    `sweeps` are of the tasks that K is swept on.
    """

    banks: dict[str, list[Row]] = field(default_factory=dict)
    kept: dict[str, dict[str, Kept]] = field(default_factory=dict)
    sweeps: dict[str, dict[str, Kept]] = field(default_factory=dict)


def paint(
    arguments: argparse.Namespace,
    work: Path,
    parts: Parts,
    bench: Bench,
    tasks: Mapping[str, Sequence[RegionTask]],
) -> Painted:
    """Every box of the tasks by every backend: of two things by the usual backend alone."""
    anchors = LearnedRegionSettings().anchors
    shared: dict[str, Any] = {"sizes": SIZES, "seed": arguments.seed}
    painted = Painted()
    for backend in arguments.backends:
        inpainter = parts.load(BACKENDS[backend])
        whole = backend == BACKEND
        for things, some in tasks.items():
            if not some or not (whole or things == ONE):
                continue
            name = f"{backend}, {things}"
            strengths = STRENGTHS if whole and things == ONE else ()
            usual = {"anchors": anchors, "beside": whole, "strengths": strengths, **shared}
            folder = work / name_bank(name, parts, backend, usual)
            rows = painted.banks[name] = fill_bank(folder, some, inpainter, bench, **usual)
            picks = known_picks(anchors, beside=whole) | random_picks(anchors, strengths)
            painted.kept[name] = {rule: keep(rows, pick) for rule, pick in picks.items()}
            swept = some[: arguments.swept] if whole and things == ONE else []
            if swept:
                more = {"anchors": max(SWEPT), "ways": ALL_WAYS, **shared}
                folder = work / name_bank(f"{name}, swept", parts, backend, more)
                rows = fill_bank(folder, swept, inpainter, bench, **more)
                picks = swept_picks(anchors, SWEPT)
                painted.sweeps[name] = {rule: keep(rows, pick) for rule, pick in picks.items()}
    return painted


def measure(arguments: argparse.Namespace, work: Path) -> dict[str, Any]:
    """All figures."""
    parts = Parts(preset=load_preset(arguments.preset), dtype=arguments.dtype)
    if arguments.net is not None:
        parts = parts.with_replaced({REGION_NET.part: REGION_NET.spec(arguments.net)})
    bench = Bench(
        backbone=parts.load("backbone"),
        clip=parts.load("clip_space"),
        segmenter=parts.segmenter,
        judge=load_judge(),
    )
    tasks = {
        ONE: draw_tasks(arguments.seed, arguments.edits),
        TWO: draw_tasks(arguments.seed, arguments.two, things=2),
    }
    painted = paint(arguments, work, parts, bench, tasks)
    figures = describe_painting(painted) | {"kinds": count_kinds(tasks[ONE])}
    for things, some in tasks.items():
        name = f"{BACKEND}, {things}"
        if name in painted.banks:
            rules, found = with_networks(arguments, some, painted.banks[name], bench, parts)
            painted.kept[name].update(rules)
            figures.setdefault("networks", {})[name] = found
    finders: dict[str, RegionFinder] = {
        SEGMENTER.name: SEGMENTER.load(parts, SEGMENTER.settings()),
        LEARNED.name: LEARNED.load(parts, LEARNED.settings()),
    }
    figures["masks"] = {
        things: measure_masks(some, finders) for things, some in tasks.items() if some
    }
    figures["rules"] = {name: describe(rules) for name, rules in painted.kept.items()}
    if MAIN in painted.kept:
        rules, rows = painted.kept[MAIN], painted.banks[MAIN]
        figures["beside_random"] = stand_all(rules)
        stand = stand_beside_fitted(rules, rows, figures, anchors=LearnedRegionSettings().anchors)
        figures["beside_fitted"] = asdict(stand)
    print_rules(figures["rules"])
    print_rules({f"{name}, swept": rules for name, rules in figures["swept"].items()})
    if arguments.sheet is not None:
        page = draw_page(tasks[ONE], painted.banks[MAIN], painted.kept[MAIN])
        write_bytes(arguments.sheet, encode_png(page))
    return figures


def describe_painting(painted: Painted) -> dict[str, Any]:
    """What painting took, how the default fails, and the rules that were swept."""
    figures: dict[str, Any] = {}
    for took in ("seconds_a_box", "seconds_judging"):
        means = {name: np.mean([row[took] for row in rows]) for name, rows in painted.banks.items()}
        figures[took] = {name: float(mean) for name, mean in means.items()}
    figures["swept"] = {name: describe(rules) for name, rules in painted.sweeps.items()}
    figures["failures"] = {
        name: count_failures(painted.banks[name], rules[DEFAULT])
        for name, rules in painted.kept.items()
    }
    return figures


def name_bank(name: str, parts: Parts, backend: str, how: dict[str, Any]) -> str:
    """The name of a bank's folder: of another model or other settings it is another."""
    of = parts.identities(["backbone", "clip_space", BACKENDS[backend]])
    settings = LearnedRegionSettings()
    facts = [of, how, settings.views, settings.keep_below]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]
    return f"{name.replace(', ', '-').replace(' ', '-')}-{digest}"


def with_networks(
    arguments: argparse.Namespace,
    tasks: Sequence[RegionTask],
    rows: Sequence[Row],
    bench: Bench,
    parts: Parts,
) -> tuple[dict[str, Kept], dict[str, Any]]:
    """The rules by networks on a bank, and figures of what they took."""
    once, seconds = edit_once(
        tasks,
        LEARNED.load(parts, LEARNED.settings()),
        parts.load(BACKENDS[BACKEND]),
        bench.judge,
        noises=[noise_of([arguments.seed, number]) for number in range(len(tasks))],
    )
    few = rows[: arguments.fitted]
    anchors = LearnedRegionSettings().anchors
    opened = [
        open_task(task, row, bench, anchors=anchors)
        for task, row in zip(tasks[: len(few)], few, strict=True)
    ]
    fits = fit_all(few, opened, drawn=arguments.drawn)
    rules = {"trained network": keep(once, lambda _: (NETWORK, 0)), **fits.kept}
    figures = {
        "seconds_an_edit_once": seconds,
        "seconds_a_fit": fits.seconds,
        "gradients": fits.gradients,
    }
    return rules, figures


def describe(rules: dict[str, Kept]) -> dict[str, dict[str, Any]]:
    """Shares and means of every rule, with their intervals."""
    described = {}
    for name, kept in rules.items():
        both = kept.numbers["both"]
        described[name] = {
            "tasks": len(both),
            "both": float(both.mean()),
            "both_interval": wilson(int(both.sum()), len(both)),
            "edited": kept.mean("edited"),
            "error": kept.mean("error"),
            "error_interval": bootstrap_mean(kept.numbers["error"].tolist()),
            "covers": float((kept.numbers["covers"] >= 0.9).mean()),
            "own_thing": float((kept.numbers["covers"] > kept.numbers["covers_other"]).mean()),
            "area": kept.mean("area"),
        }
    return described


def print_rules(rules: dict[str, dict[str, dict[str, Any]]]) -> None:
    """A table for each backend and number of things."""
    for name, described in rules.items():
        print_table(
            name,
            [
                (
                    rule,
                    found["tasks"],
                    f"{found['both']:.3f}",
                    "{:.2f} to {:.2f}".format(*found["both_interval"]),
                    f"{found['error']:.4f}",
                    f"{found['covers']:.2f}",
                    f"{found['own_thing']:.2f}",
                )
                for rule, found in described.items()
            ],
            columns=("rule", "edits", "both right", "95%", "error", "covers >= .9", "own thing"),
        )


if __name__ == "__main__":
    main()
