"""What each part of iEdit brings, with the truth: the paper's table 2, and more, on still lifes.

    python benchmarks/editor_table.py [--rows NAME ...] [--steps N] [--seeds N ...] [--work DIR]
                                      [--sheet FILE] [--json]

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
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image
from support.still_life_job import command, environment, open_work, source_file

from editing.choices import RETRIEVE, STRENGTHS
from editing.evaluation.figures import Setting
from editing.evaluation.measurer import Cell, plan_cells
from editing.evaluation.metrics import Interval
from pipelines.evaluation.cases import draw_cases
from pipelines.evaluation.job import read_cell, read_numbers
from pipelines.evaluation.page import spread_evenly
from pipelines.evaluation.summary import BASELINE, Summary, summarise
from pipelines.still_life.source import StillLifeSource
from pipelines.terminal.console import print_json_line, print_table
from transforms.dataset.files import write_bytes
from transforms.models.spec import locate
from transforms.pictures.contact_sheet import SheetEntry, draw_sheet
from transforms.pictures.decoding import decode, encode_png
from transforms.presets import load_preset

SHARD_SIZE = 500
MASKED, REAL = "+M", "real"
LOW_STRENGTHS = (0.1, 0.2)
"""Where SDEdit changes so little that it can be compared with methods that look where they edit."""
IEDIT: tuple[str, ...] = ()
NO_MASK = ("--weight-mask", "0", "--weight-paired", "1")
MEASURES = {
    "both": "both",
    "edited": "edited",
    "kept": "kept",
    "true_background_error": "error",
    "position_px": "px",
    "clip_score": "CLIP",
    "fid": "FID",
    "ssim_inside_mean": "SSIM in",
    "ssim_outside_mean": "out",
}


@dataclass(frozen=True)
class Row:
    """A row: its training pairs (None for no training), and the flags of `train`.

    A `headline` row is evaluated at all strengths and seeds.
    """

    pairs: str | None
    flags: tuple[str, ...] = IEDIT
    headline: bool = False


ROWS = {
    REAL: Row(None),
    "sdedit": Row(None, headline=True),
    "caption": Row(
        "mean", (*NO_MASK, "--weight-loc", "0", "--weight-perc", "0", "--prompts", "target")
    ),
    "edit": Row("selected", (*NO_MASK, "--weight-perc", "0")),
    "perc": Row("selected", NO_MASK),
    "mask": Row("selected"),
    "mean": Row("mean"),
    "quality": Row("selected", ("--quality", "structure")),
    "union": Row("selected", ("--mask-combine", "union")),
    "align": Row("selected", ("--align",)),
    "ours": Row(
        "selected",
        (
            *("--align", "--snr-cap", "1", "--empty-share", "0.15"),
            *("--weight-loc", "0.5", "--weight-global", "0.5", "--weight-perc", "0.05"),
        ),
        headline=True,
    ),
}
BUILDS = {
    "selected": ("--edits", "2"),
    "mean": ("--query", "mean", "--candidates", "search", "--attempts", "1", "--no-selection"),
}


class Bench:
    """The folders of one `--work`, and what fills them."""

    def __init__(self, arguments: argparse.Namespace, work: Path) -> None:
        self._arguments = arguments
        self._work = work
        self._preset = load_preset(arguments.preset)

    def make_pairs(self, names: Sequence[str]) -> None:
        """Indexes both pools; builds the training pairs that are named, and those to evaluate."""
        arguments = self._arguments
        pool = StillLifeSource(
            count=arguments.pool,
            seed=1000 + arguments.seed,
            shard_size=SHARD_SIZE,
            combinations="seen",
        )
        new = replace(
            pool, count=arguments.new, seed=2000 + arguments.seed, combinations="held-out"
        )
        for pictures, builds in (
            (pool, {name: BUILDS[name] for name in names}),
            (new, {"new": ()}),
        ):
            if not builds:
                continue
            kind = pictures.combinations
            file = source_file(self._work / f"{kind}.yaml", pictures)
            index = self._work / f"index-{kind}"
            self._run("index", file, "--out", index, "--workers", arguments.workers)
            for name, flags in builds.items():
                words = ("build", file, "--index", index, "--out", self._pairs(name), *flags)
                self._run(*words, "--seed", arguments.seed, "--workers", arguments.workers)

    def train(self, row: str) -> None:
        """Trains a row's editor, if it has one."""
        arguments, pairs = self._arguments, ROWS[row].pairs
        if pairs is None:
            return
        steps = ("--steps", arguments.steps, "--batch-size", arguments.batch_size)
        rate = ("--learning-rate", arguments.learning_rate, "--seed", arguments.seed)
        folder = ("train", self._pairs(pairs), "--out", self._run_folder(row))
        self._run(*folder, *steps, *rate, *ROWS[row].flags)

    def evaluate(self, row: str) -> dict[Cell, dict[str, list[float]]]:
        """What was measured of a row's edits, without and with a mask."""
        arguments = self._arguments
        if ROWS[row].pairs is None:
            assert self._preset.diffusion is not None
            model = locate(self._preset.diffusion)
        else:
            model = self._run_folder(row)
        folder = self._evaluation(row)
        names = _names(row)
        words = ("evaluate", self._pairs("new"), "--out", folder, "--model", model)
        how = ("--edits", arguments.edits, "--balanced", "--steps", arguments.sampling_steps)
        guidance = ("--guidance-scale", arguments.guidance_scale, "--batch-size", 50)
        masks = ("--mask-grow", arguments.mask_grow, "--paste", "--dtype", arguments.dtype)
        strengths, seeds = arguments.few_strengths, arguments.seeds[:1]
        if ROWS[row].headline:
            strengths, seeds = arguments.strengths, arguments.seeds
        if row == BASELINE:
            strengths = [*LOW_STRENGTHS, *strengths]
        self._run(
            *(*words, *how, *guidance, *masks, "--methods", *names),
            *("--strengths", *strengths, "--seeds", *seeds),
        )
        return {
            replace(cell, method=names[cell.method]): read_numbers(folder, cell)
            for cell in plan_cells(tuple(names), strengths, seeds)
        }

    def fid(self, row: str) -> dict[Setting, Interval]:
        """FID of a row's settings, as `evaluate` wrote it."""
        path = self._evaluation(row) / "figures.json"
        names = _names(row)
        return {
            Setting(names[each["method"]], each["strength"]): Interval(*each["fid"])
            for each in json.loads(path.read_text(encoding="utf-8"))["settings"]
        }

    def draw_sheet(self, path: Path, summary: Summary, *, count: int = 8) -> None:
        """Writes a sheet of edits, spread evenly over those that were evaluated."""
        arguments, best = self._arguments, summary.best
        masked = max(
            (name for name in best if name.endswith(MASKED)),
            key=lambda name: summary.figures[best[name]][summary.by].value,
        )
        shown = (best[BASELINE], summary.matched[masked], best[masked])
        edits = [self._read(setting) for setting in shown]
        cases = draw_cases(self._pairs("new"), count=arguments.edits, seed=0, balanced=True)
        rows = [
            SheetEntry(
                (cases[place].source, *(some[place] for some in edits)),
                (f"{cases[place].source_phrase} -> {cases[place].target_phrase}",),
            )
            for place in spread_evenly(len(cases), count)
        ]
        write_bytes(path, encode_png(draw_sheet(rows, ("source", *map(str, shown)))))

    def _read(self, setting: Setting) -> list[Image.Image]:
        """The pictures of a setting of the table, first seed."""
        row = setting.method.removesuffix(MASKED)
        method = "iedit" if row == setting.method else "iedit-m"
        cell = Cell(method, setting.strength, self._arguments.seeds[0])
        return [decode(each["image"]["bytes"]) for each in read_cell(self._evaluation(row), cell)]

    def _evaluation(self, row: str) -> Path:
        return self._work / f"evaluation-{row}"

    def _pairs(self, name: str) -> Path:
        return self._work / f"pairs-{name}"

    def _run_folder(self, row: str) -> Path:
        return self._work / f"run-{row}"

    def _run(self, *words: object) -> None:
        print("pairloom", *words, flush=True)
        flags = ("--preset", self._arguments.preset)
        subprocess.run(command(*words, *flags), env=environment(), check=True)


def _names(row: str) -> dict[str, str]:
    """What the methods of a row's evaluation are called in the table."""
    if row == REAL:
        return {"copy": "source", RETRIEVE: "pseudo-target"}
    return {"iedit": row, "iedit-m": row + MASKED}


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
    parser.add_argument("--strengths", nargs="+", type=float, default=list(STRENGTHS))
    parser.add_argument("--few-strengths", nargs="+", type=float, default=[0.3, 0.5, 0.7])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="of the edits")
    parser.add_argument("--guidance-scale", type=float, default=7.5)
    parser.add_argument("--sampling-steps", type=int, default=20)
    parser.add_argument("--dtype", default="bfloat16", help="of the editing networks")
    parser.add_argument("--mask-grow", type=float, default=0.05, help="of the shorter side")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--preset", default="stilllife")
    parser.add_argument("--seed", type=int, default=0, help="of pictures, pairs and training")
    parser.add_argument("--work", type=Path, metavar="DIR", help="keep all here, and go on from it")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="write a PNG of edits")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    return parser.parse_args()


def main() -> None:
    """Builds, trains, evaluates, compares."""
    arguments = read_arguments()
    rows = list(dict.fromkeys([REAL, BASELINE, *arguments.rows]))
    with open_work(arguments) as work:
        bench = Bench(arguments, work)
        bench.make_pairs(sorted({pairs for row in rows if (pairs := ROWS[row].pairs)}))
        cells: dict[Cell, dict[str, list[float]]] = {}
        fid: dict[Setting, Interval] = {}
        for row in rows:
            bench.train(row)
            cells |= bench.evaluate(row)
            fid |= bench.fid(row)
        summary = summarise(cells)
        for setting, value in fid.items():
            summary.figures[setting]["fid"] = value
        if arguments.sheet:
            bench.draw_sheet(arguments.sheet, summary)
    print_rows(summary)
    if arguments.json:
        print_json_line(summary.as_dict() | {"seed": arguments.seed})


def print_rows(summary: Summary) -> None:
    """Each row at its best strength, and its advantage in edits that are right."""
    best = summary.best
    print_table(
        "editors on held-out edits, each at its best strength",
        [
            (name, f"{setting.strength:g}", *(_mean(summary, setting, each) for each in MEASURES))
            for name, setting in best.items()
        ],
        columns=("row", "at", *MEASURES.values()),
    )
    print_table(
        "share right in all, more than sdedit",
        [
            (
                str(best[name]),
                str(summary.differences[name]["both"]),
                f"{other.strength:g}",
                str(summary.matched_differences[name]["both"]),
            )
            for name, other in summary.matched.items()
        ],
        columns=("row", "at its best", "errs no more at", "more than there"),
    )


def _mean(summary: Summary, setting: Setting, measure: str) -> str:
    found = summary.figures[setting].get(measure)
    return "" if found is None else f"{found.value:.3f}"


if __name__ == "__main__":
    main()
