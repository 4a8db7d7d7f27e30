"""The page of an evaluation: tables, curves over each editor's dial, and a sheet of edits."""

import base64
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from editing.evaluation.cases import EditCase
from editing.evaluation.figures import DialPoint
from editing.evaluation.intervals import Interval
from editing.evaluation.measurer import EXPLANATION, MASK, REJECTED, Cell, Row
from editing.evaluation.overlap import marks_of
from pipelines.evaluation.cases import shown_places
from pipelines.evaluation.curves import draw_curves, draw_trade
from pipelines.evaluation.job import EvaluatePlan, read_cell
from pipelines.evaluation.known_metrics import SHOWN
from pipelines.evaluation.summary import Summary
from pipelines.still_life.edit_truth import RIGHT
from pipelines.terminal.editor_arguments import ChosenEditor
from transforms.package_data import find_package_data
from transforms.pictures.contact_sheet import RGB
from transforms.pictures.decoding import encode_png
from transforms.pictures.masks import decode_mask
from transforms.pictures.overlay import overlay

COLOURS = ("#5b626c", "#c0722b", "#2f6fae", "#2b7a3d", "#8a4b9e", "#b3392f")

NO_TRUTH = (
    "These are not still lifes, so nobody knows which edits are right: the figures say how well a "
    "picture goes with its prompt and how much of it was kept."
)
TRUTH = (
    "The truth is known: the renderer knows the source, and the judge, a network that no editor "
    "uses, reads the result."
)

NO_PICTURE = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
"""One transparent pixel, where an edit could not be made."""

MASK_COLOUR: RGB = (179, 57, 47)

MARKS: dict[float | None, str] = {1.0: "right", 0.0: "wrong"}


@dataclass(frozen=True)
class SheetPicture:
    """A picture of the sheet; `mark` is right, wrong or empty.

    `region` is the address of the source with the mask that was found for the edit, empty for none.
    """

    address: str
    alt: str
    mark: str = ""
    region: str = ""


@dataclass(frozen=True)
class SheetEdit:
    """One edit by all editors; `explained` are drawings of how some of them came to theirs."""

    caption: str
    prompt: str
    pictures: tuple[SheetPicture, ...]
    explained: tuple[SheetPicture, ...] = ()


@dataclass(frozen=True)
class Chart:
    """A drawing under its caption."""

    caption: str
    drawing: Markup


def make_page(
    plan: EvaluatePlan,
    summary: Summary,
    cases: Sequence[EditCase],
    *,
    features: str,
) -> str:
    """The page as HTML that needs nothing else."""
    metrics = [name for name in SHOWN if any(name in found for found in summary.figures.values())]
    judged = summary.by == RIGHT.name
    environment = Environment(
        loader=FileSystemLoader(find_package_data("pipelines", "evaluation")),
        autoescape=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"words": in_words, "row": show_row}
    editors = list(summary.best)
    colours = dict(zip(editors, COLOURS * len(editors), strict=False))
    baseline = summary.best[summary.baseline]
    sheet = draw_sheet(plan, summary, cases)
    return environment.get_template("page.html").render(
        title=f"{', '.join(editors)} on {plan.dataset.name}",
        edits=len(cases),
        seeds=len(plan.seeds),
        editors=[(each.name, describe_settings(plan, each)) for each in plan.editors],
        features=features,
        note=TRUTH if judged else NO_TRUTH,
        remarks=summary.lines(),
        by=summary.by,
        best_heads=[str(point) for point in summary.best.values()],
        figures_of_best=[summary.figures[point] for point in summary.best.values()],
        metrics=metrics,
        baseline=summary.baseline,
        differences=summary.differences,
        differences_heads=_heads(summary, dict.fromkeys(summary.differences, baseline)),
        cost=summary.cost,
        matched_differences=summary.matched_differences,
        matched_heads=_heads(summary, summary.matched),
        colours=colours,
        charts=draw_charts(plan, summary, metrics, colours),
        columns=("source", *editors, "pseudo-target"),
        sheet=sheet,
        masked=any(picture.region for row in sheet for picture in row.pictures),
        judged=judged,
    )


def in_words(metric: str) -> str:
    """What a metric is called on the page."""
    return SHOWN[metric].label if metric in SHOWN else metric


def show_row(columns: Iterable[Mapping[str, Interval]], metric: str) -> list[Markup]:
    """A metric in every column, with its interval below it, to as many digits in all of them."""
    found = [column.get(metric) for column in columns]
    largest = max((abs(v) for each in found if each for v in (each.low, each.high)), default=0.0)
    return [
        show_interval(each, digits=1 if largest >= 100 else 2 if largest >= 10 else 3)
        for each in found
    ]


def show_interval(each: Interval | None, *, digits: int) -> Markup:
    """A figure with its interval below it; nothing where there is none."""
    if each is None:
        return Markup("")
    value, low, high = (_figure(number, digits) for number in (each.value, each.low, each.high))
    return Markup("{}<small>{} to {}</small>").format(value, low, high)


def _figure(number: float, digits: int) -> str:
    # Adding 0.0 makes 0 of what rounds to -0; the sign is as wide as a digit.
    return f"{round(number, digits) + 0.0:.{digits}f}".replace("-", "\u2212")


def describe_settings(plan: EvaluatePlan, editor: ChosenEditor) -> str:
    """An editor's dial, settings and regions in a line; empty where it has none."""
    settings = dataclasses.asdict(editor.settings)
    dial = editor.choice.spec.dial
    words = []
    if dial is not None:
        settings.pop(dial.setting)
        turned = ", ".join(f"{value:g}" for value in plan.values(editor))
        words.append(f"{dial.setting} {turned}")
    words += _pairs_in_words(settings)
    if editor.choice.regions is not None:
        own = ", ".join(_pairs_in_words(dataclasses.asdict(editor.choice.region_settings)))
        words.append(f"regions by the {editor.choice.regions.name}" + (f" ({own})" if own else ""))
    return "; ".join(words)


def _pairs_in_words(settings: Mapping[str, Any]) -> list[str]:
    yes_no = {True: "yes", False: "no"}
    return [
        f"{name.replace('_', ' ')} {yes_no[value] if isinstance(value, bool) else value}"
        for name, value in _plain(settings).items()
    ]


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with numbers as a person writes them: 3, not 3.0."""
    return {
        name: f"{value:g}" if isinstance(value, float) else value
        for name, value in settings.items()
    }


def _heads(summary: Summary, others: Mapping[str, DialPoint]) -> list[str]:
    """What is taken from what, for each editor in `others`."""
    return [f"{summary.best[editor]} \u2212 {other}" for editor, other in others.items()]


def draw_charts(
    plan: EvaluatePlan, summary: Summary, metrics: Sequence[str], colours: Mapping[str, str]
) -> list[Chart]:
    """The trade between gain and cost, then every metric over every dial that editors have."""
    charts = []
    if any(summary.cost in found for found in summary.figures.values()):
        label = f"{in_words(summary.by)}, over {in_words(summary.cost)}"
        charts.append(
            Chart(
                label, draw_trade(summary.figures, summary.cost, summary.by, colours, label=label)
            )
        )
    dials: dict[str, list[str]] = {}
    levels = []
    for editor in plan.editors:
        dial = editor.choice.spec.dial
        if editor.name not in colours:
            continue  # it could make no edit
        if dial is None:
            levels.append(editor.name)
        else:
            dials.setdefault(dial.setting, []).append(editor.name)
    for metric in metrics:
        known = {point.editor for point, found in summary.figures.items() if metric in found}
        for dial_name, names in dials.items():
            label = f"{in_words(metric)}, over {dial_name.replace('_', ' ')}"
            shown = {name: colours[name] for name in (*levels, *names)}
            if not known.isdisjoint(names):
                drawing = draw_curves(summary.figures, metric, shown, label=label)
                charts.append(Chart(label, drawing))
    return charts


def draw_sheet(plan: EvaluatePlan, summary: Summary, cases: Sequence[EditCase]) -> list[SheetEdit]:
    """The edits that are shown, each by every editor at its best point, first seed."""
    columns = {
        editor: read_cell(plan.folder, Cell(editor, point.value, plan.seeds[0]))
        for editor, point in summary.best.items()
    }
    edits = []
    for place in shown_places(len(cases)):
        case = cases[place]
        explained = []
        pictures = [SheetPicture(_address(encode_png(case.source)), f"source: {case.caption}")]
        for editor, found in columns.items():
            row = found[place]
            if row["image"] is None:
                edits_alt = f"{editor}: could not be made, {row[REJECTED]}"
                pictures.append(SheetPicture(NO_PICTURE, edits_alt))
                continue
            mark = MARKS.get(row.get(RIGHT.name), "")
            alt = f"{editor}: {case.edit_prompt}"
            address, region = _address(row["image"]["bytes"]), _region(case, row)
            pictures.append(SheetPicture(address, alt, mark, region))
            if row.get(EXPLANATION) is not None:
                drawn = _address(row[EXPLANATION]["bytes"])
                explained.append(SheetPicture(drawn, f"how {editor} came to its edit"))
        pictures.append(SheetPicture(_address(encode_png(case.target)), "pseudo-target"))
        edits.append(SheetEdit(case.caption, case.edit_prompt, tuple(pictures), tuple(explained)))
    return edits


def _region(case: EditCase, row: Row) -> str:
    if row.get(MASK) is None:
        return ""
    mask = decode_mask(row[MASK]["bytes"], case.source.size)
    return _address(encode_png(overlay(case.source, marks_of(mask), MASK_COLOUR)))


def _address(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()
