"""What judges said of the pairs, as the page shows it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pipelines.marks.calibration import Calibration
from pipelines.marks.judged import JudgingSummary, StratumSummary, open_judged, sum_up
from pipelines.marks.marks_file import MarksError, marks_path
from pipelines.marks.precision import Estimate
from pipelines.report import charts
from pipelines.terminal.console import print_note
from transforms.dataset.reader import open_pairs

ROW_HEIGHT = 22


@dataclass(frozen=True)
class JudgedRow:
    """One line of the table of precisions: what it is of, its estimate, and that drawn."""

    name: str
    pairs: int
    estimate: Estimate | None
    drawing: Markup


@dataclass(frozen=True)
class JudgedView:
    """All that the page shows of the marks; `calibration` is the drawing of it, if there is one."""

    summary: JudgingSummary
    strata: tuple[JudgedRow, ...]
    whole: tuple[JudgedRow, ...]
    calibration: Markup | None


def find_judged(folder: Path, marks: Path | None) -> JudgingSummary | None:
    """What the marks of the data set in `folder` say; None where there are none of it.

    Marks of another data set are told of and left out, unless `marks` names their file.

    Raises:
        MarksError: the marks cannot be read, or `marks` names those of another data set.
        DatasetError: the data set cannot be read.
    """
    try:
        path = marks or marks_path(folder)
    except MarksError:
        return None  # on a store: only a named file is read
    if marks is None and not path.exists():
        return None
    try:
        return sum_up(open_judged(open_pairs(folder), path))
    except MarksError as error:
        if marks is not None:
            raise
        print_note(f"the report is without marks: {error}")
        return None


def judged_context(summary: JudgingSummary | None) -> dict[str, Any]:
    """What the template needs to show the marks."""
    if summary is None or summary.precision is None:
        return {"judged": None}
    whole = [("all pairs", summary.precision)]
    if len(summary.by_judge) > 1:
        whole += [
            (f"all pairs, by {judge} alone", found)
            for judge, found in summary.by_judge.items()
            if found is not None
        ]
    made = summary.calibration
    return {
        "judged": JudgedView(
            summary,
            strata=tuple(
                _row(name_range(each), each.pairs, each.estimate) for each in summary.strata
            ),
            whole=tuple(_row(name, found.pairs, found) for name, found in whole),
            calibration=None if made is None else draw_calibration(made),
        )
    }


def _row(name: str, pairs: int, found: Estimate | None) -> JudgedRow:
    return JudgedRow(name, pairs, found, draw_interval(found, name))


def name_range(each: StratumSummary) -> str:
    """The scores of a stratum in words."""
    if each.low_score is None or each.high_score is None:
        return "not measured"
    return f"{each.low_score:.3f} to {each.high_score:.3f}"


def draw_interval(found: Estimate | None, name: str) -> Markup:
    """A share on a line from 0 to 1, with its interval."""
    middle = ROW_HEIGHT / 2
    left, width = charts.LEFT, charts.PLOT_WIDTH
    line = Markup('<line x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}" class="{}"/>')
    body = [line.format(left, left + width, middle, middle, "grid")]
    label = f"{name}: nothing marked"
    if found is not None:
        low, high, value = (left + width * share for share in (found.low, found.high, found.value))
        body += [
            line.format(low, high, middle, middle, "interval"),
            Markup('<circle cx="{:.1f}" cy="{:.1f}" r="5" class="kept"/>').format(value, middle),
        ]
        label = f"{name}: {found.value:.3f} right, interval {found.low:.3f} to {found.high:.3f}"
    return charts.draw_svg(body, label, height=ROW_HEIGHT)


def draw_calibration(made: Calibration) -> Markup:
    """The chance of being right by the score, as a step curve from 0 to 1."""
    levels, chances = made.curve.levels.tolist(), made.curve.chances.tolist()
    low, high = levels[0], made.highest
    if high <= low:
        low, high = low - 0.5, high + 0.5
    corners = []
    for number, (level, chance) in enumerate(zip(levels, chances, strict=True)):
        end = levels[number + 1] if number + 1 < len(levels) else high
        y = charts.TOP + charts.PLOT_HEIGHT * (1 - chance)
        corners += [f"{charts.place(x, low, high):.1f},{y:.1f}" for x in (level, end)]
    body: list[Markup | str] = [
        charts.horizontal(charts.TOP, "grid"),
        charts.horizontal(charts.TOP + charts.PLOT_HEIGHT, "axis"),
        charts.polyline(" ".join(corners), "curve"),
        *charts.axis_labels(low, high),
        charts.text(charts.LEFT, charts.TOP - 4, "all right", style="tick"),
    ]
    label = (
        f"chance of being right by {made.score}: from {chances[0]:.2f} at {charts.short(low)} to "
        f"{chances[-1]:.2f} at {charts.short(high)}"
    )
    return charts.draw_svg(body, label)
