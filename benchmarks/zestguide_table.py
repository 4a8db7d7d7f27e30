"""ZestGuide on maps of fresh still lifes, beside no guidance, paint-with-words and the thesis.

    python benchmarks/zestguide_table.py [--maps N] [--rows NAME ...] [--set NAME=VALUE ...]
        [--work DIR] [--sheet FILE] [--dtype NAME] [--seed N] [--json]

Every map is the truth of a random scene, half with one thing and half with two, each with a
combination of noun, colour and size that no network was trained on. Pictures are made of its
caption and its things' masks from noise that is the same in every row. The shipped segmenter says
where things are in them: mIoU is with the map, over all segments, over those of at least 5% of the
picture ("filtered"), and over pictures with none smaller ("few"; all have 1 or 2). A judge that no
network was trained with reads whether every attribute of the prompt is right. FID is over the
judge's features, from the real pictures of the same scenes. Pictures are kept in `--work`, so that
an interrupted run goes on there. `--set` gives one row of other settings, to choose them on seeds
that are not reported.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from support.intervals import bootstrap_mean, wilson
from support.layout_maps import MapTask, Shown, draw_maps, measure_pictures
from support.layout_rows import (
    DEFAULT,
    NONE,
    REAL,
    ROWS,
    SHOWN_AS,
    THESIS_PAINT,
    MadeRow,
    make_row,
)
from support.reporting import Target, add_report_flags, at_least, finish

from editing.diffusion.settings import DTYPES
from editing.evaluation.intervals import bootstrap
from editing.loading import choose_editor
from editing.parts import Parts
from editing.settings import describe_settings
from pipelines.terminal.console import print_table
from stilllife.judge import load_judge
from transforms.dataset.files import write_bytes
from transforms.pictures.contact_sheet import SheetEntry, draw_sheet
from transforms.pictures.decoding import encode_png
from transforms.presets import load_preset

EDITOR = "zestguide"
SHOWN = 10
Numbers = dict[str, Any]


def main() -> None:
    """Measures, prints a table and ends with a line of JSON."""
    arguments = read_arguments()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        figures = measure(arguments, arguments.work or Path(temporary))
    finish(arguments, figures=figures, targets=list_targets(figures))


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--maps", type=int, default=300)
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", dest="values")
    parser.add_argument("--dtype", choices=DTYPES, default="float32", help="of what paints")
    parser.add_argument("--work", type=Path, help="where pictures are kept")
    parser.add_argument("--sheet", type=Path, help="write a page of pictures, a PNG file")
    add_report_flags(parser)
    return parser.parse_args()


def wanted_rows(arguments: argparse.Namespace) -> dict[str, Numbers]:
    """Settings by row: those of `--set` alone, or the named rows."""
    if not arguments.values:
        return {name: ROWS[name] for name in arguments.rows}
    spec = choose_editor(EDITOR, Parts(preset=load_preset("stilllife"))).spec
    known = {each.name: each for each in describe_settings(spec.settings)}
    given = dict(each.split("=", 1) for each in arguments.values)
    name = " ".join(arguments.values)
    return {name: {key: known[key].read(value) for key, value in given.items()}}


def measure(arguments: argparse.Namespace, work: Path) -> Numbers:
    """All figures."""
    parts = Parts(preset=load_preset("stilllife"), dtype=arguments.dtype)
    choice = choose_editor(EDITOR, parts)
    editor, judge = choice.load(), load_judge()
    tasks = draw_maps(arguments.seed, arguments.maps)

    def look(pictures: Sequence[Any]) -> Shown:
        return measure_pictures(
            tasks, pictures, segmenter=parts.segmenter, encoder=parts.encoder, judge=judge
        )

    made: dict[str, MadeRow] = {}
    shown = {REAL: look([task.picture for task in tasks])}
    for name, values in wanted_rows(arguments).items():
        made[name] = make_row(
            work, tasks, choice, editor, name=name, values=values, seed=arguments.seed
        )
        shown[name] = look(made[name].pictures)
    two = np.array([len(task.scene.things) == 2 for task in tasks])
    rows = {name: describe(each, two) for name, each in shown.items()}
    for name, each in made.items():
        rows[name]["seconds"] = each.seconds
    print_rows(rows)
    if arguments.sheet is not None:
        write_bytes(arguments.sheet, encode_png(draw_page(tasks, made)))
    gains = {
        name: paired(shown[DEFAULT].overlap - shown[name].overlap)
        for name in shown
        if DEFAULT in shown and name not in (DEFAULT, REAL)
    }
    return {"maps": len(tasks), "two_things": int(two.sum()), "rows": rows, "gains": gains}


def describe(shown: Shown, two: Any) -> Numbers:
    """Means of a row, with their intervals."""
    figures: Numbers = {"right": float(shown.right.mean()), "fid": shown.fid}
    figures["right_interval"] = wilson(int(shown.right.sum()), len(shown.right))
    for name, values in (
        ("miou", shown.overlap),
        ("miou_one", shown.overlap[~two]),
        ("miou_two", shown.overlap[two]),
        ("miou_filtered", shown.filtered),
        ("miou_few", shown.few),
        ("cosine", shown.cosine),
    ):
        there = values[~np.isnan(values)]
        figures[name] = float(there.mean()) if len(there) else None
        figures[f"{name}_interval"] = bootstrap_mean(there.tolist())
    for name, values in (("right_one", shown.right[~two]), ("right_two", shown.right[two])):
        figures[name] = float(values.mean())
    return figures


def paired(differences: Any) -> Numbers:
    """The mean of differences on the same maps, and its interval."""
    found = bootstrap([differences])
    return {"mean": found.value, "interval": (found.low, found.high)}


def print_rows(rows: Mapping[str, Numbers]) -> None:
    """The table; what else there is the line of JSON has."""
    print_table(
        "pictures of maps",
        [
            (
                name,
                f"{each['miou']:.3f}",
                f"{each['miou_one']:.2f}/{each['miou_two']:.2f}",
                "" if each["miou_filtered"] is None else f"{each['miou_filtered']:.3f}",
                f"{each['right']:.3f}",
                f"{each['fid']:.0f}",
                f"{each['seconds']:.2f}" if "seconds" in each else "",
            )
            for name, each in rows.items()
        ],
        columns=("row", "mIoU", "one/two", "filtered", "right", "FID", "s"),
    )


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """What the default is to reach."""
    rows, gains = figures["rows"], figures["gains"]
    if DEFAULT not in rows:
        return []
    row = rows[DEFAULT]
    targets = [
        Target(
            name="mIoU with the drawn map",
            value=row["miou"],
            bound=at_least(0.65, kind="aim"),
            interval=row["miou_interval"],
        ),
        Target(
            name="the judge finds all right",
            value=row["right"],
            bound=at_least(0.93, kind="aim"),
            interval=row["right_interval"],
        ),
    ]
    for name, least in ((NONE, 0.35), (THESIS_PAINT, 0.15)):
        if name in gains:
            targets.append(
                Target(
                    name=f"mIoU over that of {name}",
                    value=gains[name]["mean"],
                    bound=at_least(least, kind="aim"),
                    interval=gains[name]["interval"],
                )
            )
    return targets


def draw_page(tasks: Sequence[MapTask], made: Mapping[str, MadeRow]) -> Any:
    """The first maps, and the pictures of every row."""
    entries = [
        SheetEntry(
            (
                task.picture,
                task.layout.union().convert("RGB"),
                *(each.pictures[n] for each in made.values()),
            ),
            (task.scene.caption(),),
        )
        for n, task in enumerate(tasks[:SHOWN])
    ]
    return draw_sheet(entries, ("real", "map", *(SHOWN_AS.get(name, name) for name in made)))


if __name__ == "__main__":
    main()
