"""How well pictures are found by picture and words, on still lifes, whose truth is exact.

    python benchmarks/simat_table.py [--pool N] [--training N] [--queries N] [--steps N]
        [--encoders NAME ...] [--temperatures T ...] [--chart FILE] [--seed N] [--json]

Of a pool's pictures of one thing and of those of two a set of SIMAT's kind is made: every edit that
the world knows and whose result another picture of the set shows. Half of the pictures have the
queries that lambda is chosen on, the other half those that are measured. Printed is the SIMAT score
(Couairon's thesis, section 3.2.4) of queries by words, by sentences and by the picture's own
caption, beside the thesis's baselines; of adaptation heads over temperatures, also over encoders
that were made worse; and, of queries that weigh structure too, how far things moved.

Captions are the true ones; `--chart FILE` draws curves (PNG).
"""

import argparse
from collections.abc import Mapping
from typing import Any

import support.silent_libraries  # noqa: F401
from support.reporting import add_report_flags, finish
from support.simat_chart import draw_charts
from support.simat_heads import Distortion, RememberingEncoder, train_heads
from support.simat_layout import layout_bounds, layout_curves
from support.simat_names import LIKE_THE_WEB_S, ONE, TWO, UNADAPTED
from support.simat_pool import DrawnPool, draw_pool, load_batch_encoder
from support.simat_rows import score_curves, score_queries, score_words
from support.simat_set import LifeSet, embed_set, life_set
from support.simat_targets import list_targets

from editing.editors.simat.query_set import Numbers
from editing.editors.simat.scoring import SetEmbeddings, SimatTask
from editing.editors.simat.settings import HeadTraining
from pipelines.terminal.console import print_table
from transforms.presets import load_preset
from transforms.protocols import Encoder

THINGS = {ONE: 1, TWO: 2}
TEMPERATURES = (0.01, 0.03, 0.1, 0.3, 1.0)
ENCODERS = {
    "as it is": Distortion(),
    "texts in a narrow cone": Distortion(image_gap=1.0, text_gap=3.0),
    "noise of length 1": Distortion(noise=1.0),
    LIKE_THE_WEB_S: Distortion(image_gap=1.0, text_gap=3.0, noise=1.0),
}
"""What is done to the encoder."""
APART = 1000
"""Heads learn of pictures of the seed that is so much greater."""
HEAD_COLUMNS = ("heads", "", "words, lambda 1", "best", "lambda", "text to image")
LAYOUT_COLUMNS = ("query", "rule", "value", "right", "px")
FEWER = 1_000
"""Heads and layouts are measured on so many queries at most, for there are many of them."""


def main() -> None:
    """Reads the arguments, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pool", type=int, default=4_000, help="pictures in it (default 4000)")
    parser.add_argument(
        "--training", type=int, default=2_000, help="pictures heads learn of (default 2000)"
    )
    parser.add_argument(
        "--queries", type=int, default=3_000, help="of one thing; half of two (default 3000)"
    )
    parser.add_argument("--steps", type=int, default=400, help="of training (default 400)")
    parser.add_argument("--batch-size", type=int, default=512, help="of training (default 512)")
    parser.add_argument(
        "--encoders",
        nargs="+",
        choices=ENCODERS,
        default=list(ENCODERS),
        metavar="NAME",
        help="over which of them heads are trained (default all)",
    )
    parser.add_argument(
        "--temperatures",
        nargs="+",
        type=float,
        default=TEMPERATURES,
        metavar="T",
        help="of the heads (default all of the sweep)",
    )
    parser.add_argument("--chart", metavar="FILE", help="draw the curves, a PNG file")
    parser.add_argument("--preset", default="stilllife", help="whose encoder (default stilllife)")
    add_report_flags(parser)
    arguments = parser.parse_args()
    figures = measure(arguments)
    print_figures(figures)
    if arguments.chart:
        draw_charts(figures, arguments.chart)
    finish(arguments, figures=figures, targets=list_targets(figures))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything, as plain data."""
    spec = load_preset(arguments.preset).encoder
    encoder = RememberingEncoder(load_batch_encoder(spec))
    print(f"looking at {arguments.pool} and {arguments.training} pictures", flush=True)
    pool = draw_pool(arguments.pool, encoder, seed=arguments.seed)
    learnt = draw_pool(arguments.training, encoder, seed=arguments.seed + APART)
    seed = arguments.seed
    sets = {name: life_set(pool, things=n, seed=seed) for name, n in THINGS.items()}
    sentences = learnt.captions()
    tasks = {name: embed_set(found, encoder, sentences=sentences) for name, found in sets.items()}
    counts = {ONE: arguments.queries, TWO: arguments.queries // 2}
    halves = {
        name: tuple(
            found.drawn(counts[name], is_test=is_test, seed=seed) for is_test in (False, True)
        )
        for name, found in sets.items()
    }
    return {
        "pool": arguments.pool,
        "training": arguments.training,
        "steps": arguments.steps,
        "batch_size": arguments.batch_size,
        "feasible": {name: len(found.queries.queries) for name, found in sets.items()},
        "queries": {name: len(tested) for name, (_, tested) in halves.items()},
        "gap": {name: modality_gap(task) for name, task in tasks.items()},
        "rows": {
            name: score_queries(tasks[name], chosen=chosen, tested=tested)
            for name, (chosen, tested) in halves.items()
        },
        "curves": {name: score_curves(tasks[name], tested) for name, (_, tested) in halves.items()},
        "heads": measure_heads(tasks, halves, learnt, encoder, arguments),
        "layout": measure_layout(sets, tasks, halves),
    }


def modality_gap(task: SimatTask) -> dict[str, float]:
    """How far the means of pictures and captions are apart, and how alike a picture and its own."""
    embeddings = task.embeddings
    own = embeddings.captions[task.queries.shows]
    apart = embeddings.images.mean(0) - embeddings.captions.mean(0)
    return {
        "distance": float((apart**2).sum() ** 0.5),
        "own_cosine": float((embeddings.images * own).sum(1).mean()),
    }


def measure_heads(
    tasks: Mapping[str, SimatTask],
    halves: Mapping[str, tuple[Numbers, ...]],
    learnt: DrawnPool,
    encoder: Encoder,
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    """Word deltas by encoder, by temperature of the heads, by set."""
    halves = {name: tuple(each[:FEWER] for each in both) for name, both in halves.items()}
    found: dict[str, Any] = {}
    for name in arguments.encoders:
        distortion = ENCODERS[name]
        distorted = {each: distort(task, distortion) for each, task in tasks.items()}
        found[name] = {UNADAPTED: score_sets(distorted, halves)}
        for temperature in arguments.temperatures:
            print(f"heads over the encoder {name}, temperature {temperature:g}", flush=True)
            heads = train_heads(
                learnt,
                encoder,
                HeadTraining(temperature=temperature),
                distortion=distortion,
                steps=arguments.steps,
                batch_size=arguments.batch_size,
                seed=arguments.seed,
            )
            adapted = {each: task.through(heads) for each, task in distorted.items()}
            found[name][f"{temperature:g}"] = score_sets(adapted, halves)
    return found


def score_sets(
    tasks: Mapping[str, SimatTask], halves: Mapping[str, tuple[Numbers, ...]]
) -> dict[str, Any]:
    """`score_words` of every set."""
    return {
        name: score_words(task, chosen=halves[name][0], tested=halves[name][1])
        for name, task in tasks.items()
    }


def distort(task: SimatTask, distortion: Distortion) -> SimatTask:
    """The task by a distorted encoder."""
    import numpy as np

    whole = task.embeddings
    words = list(whole.words)
    captions = list(task.queries.captions)
    embeddings = SetEmbeddings(
        images=distortion.images(whole.images, 10**6 + np.arange(len(whole.images))),
        captions=distortion.texts(whole.captions, captions),
        words=dict(
            zip(words, distortion.texts(np.stack(list(whole.words.values())), words), strict=True)
        ),
    )
    return SimatTask(queries=task.queries, embeddings=embeddings)


def measure_layout(
    sets: Mapping[str, LifeSet],
    tasks: Mapping[str, SimatTask],
    halves: Mapping[str, tuple[Numbers, ...]],
) -> dict[str, Any]:
    """Curves of right pictures against pixels, of text alone and of the caption's delta."""
    found: dict[str, Any] = {}
    for name, each in sets.items():
        task, places = tasks[name], halves[name][1][:FEWER]
        vectors = {
            "own caption": task.starts(places) + task.deltas(places, of="captions"),
            "words, lambda 0.75": task.starts(places) + 0.75 * task.deltas(places),
            "text": task.targets(places),
        }
        found[name] = {
            "bounds": layout_bounds(each, task, places),
            "queries": {
                query: layout_curves(each, task, some, places) for query, some in vectors.items()
            },
        }
    return found


def print_figures(figures: Mapping[str, Any]) -> None:
    """The tables."""
    for name, rows in figures["rows"].items():
        scores = [
            (row, each["lambda"] or "", each["at_1"], each["at_5"]) for row, each in rows.items()
        ]
        print_table(f"SIMAT score, {name}", scores, columns=("", "lambda", "@1", "@5"))
    for encoder, by_temperature in figures["heads"].items():
        heads = [
            (temperature, name, each["lambda_1"], each["best"], each["lambda"], each["text"])
            for temperature, sets in by_temperature.items()
            for name, each in sets.items()
        ]
        print_table(f"the encoder {encoder}", heads, columns=HEAD_COLUMNS)
    for name, layout in figures["layout"].items():
        points = [
            (query, rule, value, point["right"], point["px"])
            for query, rules in layout["queries"].items()
            for rule, points in rules.items()
            for value, point in points.items()
        ]
        print_table(f"layout, {name}: {layout['bounds']}", points, columns=LAYOUT_COLUMNS)


__all__ = ["list_targets", "main", "measure"]


if __name__ == "__main__":
    main()
