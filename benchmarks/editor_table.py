"""What each part of iEdit brings, with the truth: the paper's table 2, and more, on still lifes.

    python benchmarks/editor_table.py [--rows NAME ...] [--steps N] [--seeds N ...] [--work DIR]
                                      [--sheet FILE] [--seed N] [--json]

Editors are trained on pairs of pictures of seen combinations and edit pictures of held-out ones:
pictures and pseudo-targets of the edits show at least one combination that neither the diffusion
model nor any editor was trained on, and every word is asked for as often as every other, as far as
there are so many edits (a background can always be changed to the other one, a colour rarely to one
that makes an unseen combination again). Everything goes through the command line (`index`,
`build`, `train`, `evaluate`), so that `--work` can be gone on with after an interruption.

| row | trained on | terms |
|---|---|---|
| `real` | nothing | no edits: the source, and the pseudo-target, real pictures both |
| `sdedit` | nothing | the diffusion model as it is |
| `caption` | pairs by the query `mean`, under the targets' own captions | global, paired |
| `edit` | selected pairs, under edit prompts | global, paired, loc |
| `perc` | the same | and perc |
| `mask` | the same | mask instead of paired: iEdit |
| `mean` | pairs by the query `mean` without selection, as the paper finds them | iEdit |
| `quality` | selected pairs, weighted by how alike their layouts are | iEdit |
| `union` | selected pairs | iEdit, masks combined by `union` |
| `align` | selected pairs, moved onto their sources | iEdit |
| `ours` | the same | iEdit, `--snr-cap 1 --empty-share 0.15`, half of what CLIP weighs |

Each row is evaluated without and with a mask found at inference (`+M`; untouched pixels are put
back): `sdedit` and `ours` at all strengths and seeds, the others at `--few-strengths` and the first
seed. Shown is each at its best strength by the share of edits that are right in all, and what it
has more than `sdedit`, edit by edit, with 95% bootstrap intervals; then the same against `sdedit`
at a strength at which it errs no more outside the edited thing. The spread of FID is that over
seeds. `--sheet FILE` draws some of the edits: by `sdedit` and by the best row with a mask, and by
`sdedit` where it errs no more than that.
"""

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support.editor_experiment import EditorExperiment
from support.editor_rows import MASKED, OURS, REAL, ROWS
from support.reporting import Bound, Target, add_report_flags, at_least, at_most, finish
from support.still_life_job import open_work

from editing.diffusion.settings import STRENGTH_DIAL
from editing.evaluation.figures import DialPoint
from editing.evaluation.intervals import Interval
from editing.evaluation.measurer import Cell
from editing.registry import BASELINE
from pipelines.evaluation.summary import Summary, summarise
from pipelines.terminal.console import print_table

OURS_MASKED = OURS + MASKED
ERROR = "true_background_error"
MEASURES = {
    "both": "both",
    "edited": "edited",
    "kept": "kept",
    ERROR: "error",
    "position_px": "px",
    "clip_score": "CLIP",
    "fid": "FID",
    "ssim_inside_mean": "SSIM in",
    "ssim_outside_mean": "out",
}


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--pool", type=int, default=6000, help="pictures to train on")
    parser.add_argument("--new", type=int, default=4000, help="pictures to edit")
    parser.add_argument("--edits", type=int, default=500)
    parser.add_argument("--steps", type=int, default=400, help="of training")
    parser.add_argument("--batch-size", type=int, default=8, help="of training")
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--strengths", nargs="+", type=float, default=list(STRENGTH_DIAL.values))
    parser.add_argument("--few-strengths", nargs="+", type=float, default=[0.3, 0.5, 0.7])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="of the edits")
    parser.add_argument("--guidance-scale", type=float, default=7.5)
    parser.add_argument("--sampling-steps", type=int, default=20)
    parser.add_argument("--dtype", default="bfloat16", help="of the editing networks")
    parser.add_argument("--mask-grow", type=float, default=0.05, help="of the shorter side")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--preset", default="stilllife")
    add_report_flags(parser, seed_help="of pictures, pairs and training (default 0)")
    parser.add_argument("--work", type=Path, metavar="DIR", help="keep all here, and go on from it")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="write a PNG of edits")
    return parser.parse_args()


def main() -> None:
    """Builds, trains, evaluates, compares."""
    arguments = read_arguments()
    rows = list(dict.fromkeys([REAL, BASELINE, *arguments.rows]))
    with open_work(arguments) as work:
        experiment = EditorExperiment(arguments, work)
        experiment.make_training_pairs(
            sorted({pairs for row in rows if (pairs := ROWS[row].pairs)})
        )
        experiment.make_new_pairs()
        cells: dict[Cell, dict[str, list[float]]] = {}
        fid: dict[DialPoint, Interval] = {}
        for row in rows:
            experiment.train(row)
            cells |= experiment.evaluate(row)
            fid |= experiment.fid(row)
        summary = summarise(cells, baseline=BASELINE)
        for point, value in fid.items():
            summary.figures[point]["fid"] = value
        if arguments.sheet:
            experiment.draw_sheet(arguments.sheet, summary)
    print_rows(summary)
    figures = {
        "rows": read_rows(summary),
        "edits": arguments.edits,
        "training_steps": arguments.steps,
        "edit_seeds": arguments.seeds,
        "evaluation": summary.as_dict(),
    }
    finish(arguments, figures=figures, targets=list_targets(figures))


def read_rows(summary: Summary) -> dict[str, dict[str, Any]]:
    """Of each row its best strength, its measures there, and what it has more than the baseline.

    Every measure is [mean, low, high]; None where there is none. `more` compares with the baseline
    at its best, `matched` with the baseline at the strength `at` where it errs no more.
    """
    rows: dict[str, dict[str, Any]] = {
        name: {"at": point.value, "measures": _plain(summary.figures[point])}
        for name, point in summary.best.items()
    }
    for name, other in summary.matched.items():
        rows[name]["more"] = _plain(summary.differences[name])
        rows[name]["matched"] = {
            "at": other.value,
            "measures": _plain(summary.figures[other]),
            "more": _plain(summary.matched_differences[name]),
        }
    return rows


def _plain(measures: Mapping[str, Interval]) -> dict[str, list[float | None]]:
    return {
        name: [
            None if math.isnan(value) else value
            for value in (interval.value, interval.low, interval.high)
        ]
        for name, interval in measures.items()
    }


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """What was to be reached (docs/editing.md), as far as the rows were measured."""
    rows, targets = figures["rows"], []
    if OURS_MASKED in rows:
        masked, baseline = rows[OURS_MASKED], rows[BASELINE]
        targets += [
            _difference(
                f"{OURS_MASKED}: right more often than {BASELINE} at no more error",
                masked["matched"]["more"]["both"],
                at_least(0.2),
            ),
            _difference(
                f"{OURS_MASKED}: right more often than {BASELINE}, each at its best",
                masked["more"]["both"],
                at_least(0.2, kind="aim"),
            ),
            Target(
                name=f"{OURS_MASKED}: error outside / that of {BASELINE}",
                value=masked["measures"][ERROR][0] / baseline["measures"][ERROR][0],
                bound=at_most(1 / 3),
            ),
            Target(
                name=f"{OURS_MASKED}: FID less that of {BASELINE}",
                value=masked["measures"]["fid"][0] - baseline["measures"]["fid"][0],
                bound=at_most(0),
            ),
            _difference(
                f"{OURS_MASKED}: CLIPScore less that of {BASELINE}",
                masked["more"]["clip_score"],
                at_least(0, kind="aim"),
            ),
        ]
    if OURS in rows:
        name = f"{OURS}: right more often than {BASELINE}, each at its best"
        targets.append(_difference(name, rows[OURS]["more"]["both"], at_least(0.08, kind="aim")))
    return targets


def _difference(name: str, found: Sequence[float | None], bound: Bound) -> Target:
    value, low, high = found
    interval = None if low is None or high is None else (low, high)
    return Target(name=name, value=value, bound=bound, interval=interval)


def print_rows(summary: Summary) -> None:
    """Each row at its best strength, and its advantage in edits that are right."""
    best = summary.best
    print_table(
        "editors on held-out edits, each at its best strength",
        [
            (name, _turned(point), *(_mean(summary, point, each) for each in MEASURES))
            for name, point in best.items()
        ],
        columns=("row", "at", *MEASURES.values()),
    )
    print_table(
        "share right in all, more than sdedit",
        [
            (
                str(best[name]),
                str(summary.differences[name]["both"]),
                _turned(other),
                str(summary.matched_differences[name]["both"]),
            )
            for name, other in summary.matched.items()
        ],
        columns=("row", "at its best", "errs no more at", "more than there"),
    )


def _turned(point: DialPoint) -> str:
    return "" if point.value is None else f"{point.value:g}"


def _mean(summary: Summary, point: DialPoint, measure: str) -> str:
    found = summary.figures[point].get(measure)
    return "" if found is None else f"{found.value:.3f}"


if __name__ == "__main__":
    main()
