"""The page of an evaluation: tables, curves over strength, and a sheet of edits."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from editing.evaluation.figures import Setting
from editing.evaluation.measurer import Cell, EditCase
from editing.evaluation.metrics import Interval
from editing.regions.segmented import MaskUse
from pipelines.evaluation.curves import draw_curves, draw_trade
from pipelines.evaluation.job import EvaluatePlan, read_cell
from pipelines.evaluation.summary import Summary
from transforms.package_data import find_package_data
from transforms.pictures.decoding import encode_png

COLOURS = ("#5b626c", "#c0722b", "#2f6fae", "#2b7a3d", "#8a4b9e", "#b3392f")
WORDS = {
    "both": "edit right: attribute and all others",
    "edited": "edited attribute right",
    "kept": "other attributes kept",
    "clip_score": "CLIPScore (100 cos)",
    "clip_score_hessel": "CLIPScore (2.5 cos)",
    "fid": "FID",
    "lpips": "LPIPS from the source",
    "background_error": "error outside the mask",
    "true_background_error": "error outside the true object",
    "position_px": "object moved, px",
    "ssim_inside_mean": "SSIM inside",
    "ssim_outside_mean": "SSIM outside",
    "ssim_inside_zero_filled": "SSIM inside, zero-filled",
    "ssim_outside_zero_filled": "SSIM outside, zero-filled",
}
"""Measures in the order they are shown in."""

NO_TRUTH = (
    "These are not still lifes, so nobody knows which edits are right: the figures say how well a "
    "picture goes with its prompt and how much of it was kept."
)
TRUTH = (
    "The truth is known: the renderer knows the source, and the judge, a network that no method "
    "uses, reads the result."
)

VERDICTS: dict[float | None, str] = {1.0: "right", 0.0: "wrong"}


@dataclass(frozen=True)
class SheetCell:
    """A picture of the sheet; `verdict` is right, wrong or empty."""

    address: str
    alt: str
    verdict: str = ""


@dataclass(frozen=True)
class SheetRow:
    """One edit by all methods."""

    caption: str
    prompt: str
    cells: tuple[SheetCell, ...]


def make_page(
    plan: EvaluatePlan,
    summary: Summary,
    cases: Sequence[EditCase],
    *,
    features: str,
    rows: int = 16,
) -> str:
    """The page as HTML that needs nothing else."""
    measures = [name for name in WORDS if any(name in found for found in summary.figures.values())]
    judged = summary.by == "both"
    environment = Environment(
        loader=FileSystemLoader(find_package_data("pipelines", "evaluation")),
        autoescape=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"words": in_words, "interval": show_interval}
    methods = list(summary.best)
    colours = dict(zip(methods, COLOURS * len(methods), strict=False))
    return environment.get_template("page.html").render(
        title=f"{', '.join(methods)} on {plan.dataset.name}",
        edits=len(cases),
        seeds=len(plan.seeds),
        strengths=", ".join(f"{strength:g}" for strength in plan.strengths),
        guidance=f"{plan.guidance_scale:g}",
        steps=plan.num_inference_steps,
        masks=in_words_of_masks(plan.masks),
        features=features,
        note=TRUTH if judged else NO_TRUTH,
        by=summary.by,
        best_heads=[str(setting) for setting in summary.best.values()],
        figures_of_best=[summary.figures[setting] for setting in summary.best.values()],
        measures=measures,
        against=summary.against,
        differences=summary.differences,
        differences_heads=_heads(
            summary, dict.fromkeys(summary.differences, summary.best[summary.against])
        ),
        cost=summary.cost,
        matched_differences=summary.matched_differences,
        matched_heads=_heads(summary, summary.matched),
        trade=draw_trade(
            summary.figures,
            summary.cost,
            summary.by,
            colours,
            label=f"{in_words(summary.by)} over {in_words(summary.cost)}",
        ),
        colours=colours,
        curves={
            name: draw_curves(
                summary.figures, name, colours, label=f"{in_words(name)} over strength"
            )
            for name in measures
        },
        columns=("source", *methods, "pseudo-target"),
        sheet=draw_rows(plan, summary, cases, rows),
        judged=judged,
    )


def in_words(measure: str) -> str:
    """What a measure is called on the page."""
    return WORDS.get(measure, measure)


def show_interval(each: Interval | None) -> Markup:
    """A figure with its interval below it."""
    if each is None:
        return Markup("")
    digits = 1 if abs(each.value) >= 10 else 3
    return Markup("{:.{}f}<small>{:.{}f} to {:.{}f}</small>").format(
        each.value, digits, each.low, digits, each.high, digits
    )


def in_words_of_masks(masks: MaskUse) -> str:
    """What is made of masks; empty for nothing out of the ordinary."""
    grown = f"grown by {masks.grow:g} of the shorter side" if masks.grow else ""
    pasted = "the source's own pixels put back outside" if masks.paste else ""
    return ", ".join(filter(None, [grown, pasted]))


def _heads(summary: Summary, others: Mapping[str, Setting]) -> list[str]:
    """What is taken from what, for each method in `others`."""
    return [f"{summary.best[method]} \u2212 {other}" for method, other in others.items()]


def spread_evenly(total: int, count: int) -> list[int]:
    """`count` of the places from 0 to `total` - 1, first and last among them; all if fewer."""
    return sorted({round(i * (total - 1) / max(1, count - 1)) for i in range(count)})


def draw_rows(
    plan: EvaluatePlan, summary: Summary, cases: Sequence[EditCase], count: int
) -> list[SheetRow]:
    """Edits spread evenly over `cases`, each by every method at its best strength, first seed."""
    columns = {
        method: read_cell(plan.folder, Cell(method, setting.strength, plan.seeds[0]))
        for method, setting in summary.best.items()
    }
    rows = []
    for place in spread_evenly(len(cases), count):
        case = cases[place]
        cells = [SheetCell(_address(encode_png(case.source)), f"source: {case.caption}")]
        for method, found in columns.items():
            row = found[place]
            verdict = VERDICTS.get(row.get("both"), "")
            alt = f"{method}: {case.edit_prompt}"
            cells.append(SheetCell(_address(row["image"]["bytes"]), alt, verdict))
        cells.append(SheetCell(_address(encode_png(case.target)), "pseudo-target"))
        rows.append(SheetRow(case.caption, case.edit_prompt, tuple(cells)))
    return rows


def _address(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()
