"""`pairloom plan [SOURCE] --preset P --gpus N`: what an index and a build would take."""

import argparse
import itertools
import os
from typing import Any

from pipelines.plan.costs import Costs, Machines, reckon
from pipelines.plan.rates import PlanError, Rates, load_rates
from pipelines.sources import open_source
from pipelines.terminal.arguments import JSON_HELP, whole_number
from pipelines.terminal.console import print_json_line, print_table
from transforms.protocols import Source
from transforms.record import SourceImage

USUAL_SIZES = (1_000_000, 400_000_000, 5_000_000_000)
LOOKED_AT = 64
"""So many pictures of a source are read for their mean size."""


def picture_count(text: str) -> int:
    """A number of pictures, `400000000` or `4e8`, for argparse.

    Raises:
        argparse.ArgumentTypeError: it is none, or below 1.
    """
    try:
        number = float(text)
        if number < 1 or number != int(number):
            raise ValueError
    except (ValueError, OverflowError) as error:
        rule = f"must be a whole number of at least 1, such as 4e8, got {text!r}"
        raise argparse.ArgumentTypeError(rule) from error
    return int(number)


def add_parser(subparsers: Any) -> None:
    """Adds `plan` to the command line."""
    parser = subparsers.add_parser(
        "plan",
        help="reckon how long an index and a build would take, and how large they would be",
        description="Reckon hours, bytes and what drives them, of an index of SOURCE and a build "
        "from it, or of so many --pictures. Which rates were measured, and which are reasoned, is "
        "said beside them; nothing is run.",
    )
    parser.add_argument("source", nargs="?", help="what would be indexed; looked at, not through")
    parser.add_argument(
        "--pictures",
        nargs="+",
        type=picture_count,
        metavar="N",
        help="so many instead, such as 1e6 4e8 5e9 (default without SOURCE)",
    )
    parser.add_argument("--preset", default="sd14", help="networks to reckon with (default sd14)")
    parser.add_argument(
        "--gpus", type=whole_number(0), default=0, help="cards like an H100 (default 0)"
    )
    parser.add_argument(
        "--cores",
        type=whole_number(1),
        default=None,
        help="cores of all machines together (default: 16 a card, or those of this machine)",
    )
    parser.add_argument("--json", action="store_true", help=JSON_HELP)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Reckons and prints."""
    rates = load_rates()
    if arguments.preset not in rates.presets():
        known = ", ".join(rates.presets())
        raise PlanError(f"there are rates for the presets {known}, not for {arguments.preset}")
    cores = arguments.cores or (16 * arguments.gpus) or os.cpu_count() or 1
    machines = Machines(gpus=arguments.gpus, cores=cores)
    sizes, picture_bytes = arguments.pictures or USUAL_SIZES, None
    if arguments.source is not None:
        source = open_source(arguments.source)
        picture_bytes = mean_picture_bytes(source)
        sizes = arguments.pictures or [sum(each.stop - each.start for each in source.shards())]
    planned = [
        reckon(size, arguments.preset, rates, machines, picture_bytes=picture_bytes)
        for size in sizes
    ]
    print_plan(planned, rates)
    if arguments.json:
        print_json_line({"preset": arguments.preset, "plans": [as_dict(each) for each in planned]})
    return 0


def mean_picture_bytes(source: Source) -> float | None:
    """Mean size of the first pictures of `source` that can be read; None where none can.

    Raises:
        SourceError: the source cannot be read.
    """
    rows = itertools.chain.from_iterable(source.read(shard) for shard in source.shards()[:1])
    sizes = [
        len(row.image)
        for row in itertools.islice(rows, LOOKED_AT)
        if isinstance(row, SourceImage) and row.image is not None
    ]
    return sum(sizes) / len(sizes) if sizes else None


def print_plan(planned: list[Costs], rates: Rates) -> None:
    """A table of each number of pictures, and one of the rates."""
    for costs in planned:
        machines = costs.machines
        rows: list[tuple[object, ...]] = [
            (f"{step.job}: {step.name}, {step.on}", f"{costs.step_hours(step):.3g} h")
            for step in costs.steps
        ]
        rows += [
            (f"{job} in all, most by {costs.driver(job)}", f"{costs.hours(job):.3g} h")
            for job in ("index", "build")
        ]
        rows += [(name, f"{size / 1e9:.3g} GB") for name, size in costs.bytes.items()]
        rows.append(("search index of", costs.index_key))
        print_table(
            f"{costs.pictures} pictures, {machines.gpus} GPUs, {machines.cores} cores", rows
        )
    used = dict.fromkeys(name for costs in planned for s in costs.steps for name in s.rates)
    print_table(
        "rates",
        [
            (
                name,
                f"{rates[name]:.3g}",
                "measured" if rates.by_name[name].measured else "reasoned",
                rates.by_name[name].source,
            )
            for name in used
        ],
        columns=("", "seconds or bytes", "", "where, or from what"),
    )


def as_dict(costs: Costs) -> dict[str, object]:
    """A plan as plain data, for `--json`."""
    return {
        "pictures": costs.pictures,
        "gpus": costs.machines.gpus,
        "cores": costs.machines.cores,
        "hours": {job: costs.hours(job) for job in ("index", "build")},
        "drivers": {job: costs.driver(job) for job in ("index", "build")},
        "steps": [
            {"job": step.job, "name": step.name, "on": step.on, "hours": costs.step_hours(step)}
            for step in costs.steps
        ],
        "search_index": costs.index_key,
        "bytes": costs.bytes,
    }
