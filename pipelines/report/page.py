"""Putting the page together: one HTML file that needs nothing else."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipelines.marks.judged import JudgingSummary
from pipelines.report import cards, charts
from pipelines.report.counts import Funnel, MaskCounts, PairCounts, build_funnel, count_pairs
from pipelines.report.dataset import FinishedDataset
from pipelines.report.distributions import (
    FLAGS,
    MINIMUM,
    WORKED_OUT,
    Curve,
    Threshold,
    measure_scores,
    trace_curve,
)
from pipelines.report.judged import judged_context
from pipelines.report.origin import NO_TRUTH, TRUTH_NOT_GIVEN, Origin, read_origin
from pipelines.report.sample import fetch_rows, sample_places
from pipelines.terminal.console import format_seconds
from pipelines.truth import TruthReport
from transforms.package_data import find_package_data

PICTURE_BYTES = 3_600_000
WRONG_PICTURE_BYTES = 800_000
MOST_WRONG = 12
MOST_REJECTS = 24
MOST_EXCHANGES = 16
POSITION_BINS = 24
# On a card there is room for two words; the panels of the scores have the full names.
SHORT_NAMES = {"image_image": "pictures", "text_image_target": "target text"}


@dataclass(frozen=True)
class PageOptions:
    """What the page shows: up to `pairs` pairs, drawn by `seed`.

    No more than fit into `picture_bytes` bytes of pictures, but at least one.
    """

    pairs: int = 36
    seed: int = 0
    picture_bytes: int = PICTURE_BYTES

    def __post_init__(self) -> None:
        if self.pairs < 1:
            raise ValueError(f"pairs must be >= 1, got {self.pairs}")


@dataclass(frozen=True)
class Page:
    """The finished page, and the numbers a script may want to know."""

    html: str
    funnel: Funnel
    shown: int


@dataclass(frozen=True)
class Positions:
    """The distances between where the object is and where it was, summed up and drawn."""

    number: int
    mean: float
    median: float
    drawing: Markup


def make_page(
    dataset: FinishedDataset,
    options: PageOptions,
    truth: TruthReport | None = None,
    judged: JudgingSummary | None = None,
) -> Page:
    """The page of `dataset`, with `truth` where it is known and `judged` where there are marks.

    Reads the pictures of the sample alone; everything else is counted column by column.
    """
    origin = read_origin(dataset)
    counts = count_pairs(dataset)
    funnel = build_funnel(dataset, counts.pairs)
    sheet = pair_cards(dataset, options, truth)
    html = (
        make_environment()
        .get_template("page.html")
        .render(
            dataset_context(dataset, origin, counts, funnel)
            | pair_context(sheet, truth)
            | truth_context(dataset, options, truth, origin)
            | judged_context(judged)
            | score_context(dataset, origin)
            | {"reject_groups": group_rejects(dataset, funnel, options.seed), "seed": options.seed}
        )
    )
    return Page(html=html, funnel=funnel, shown=len(sheet))


def make_environment() -> Environment:
    """The template's surroundings: everything is escaped, and an unknown name is an error."""
    environment = Environment(
        loader=FileSystemLoader(find_package_data("pipelines", "report")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["bar"] = charts.draw_bar
    environment.filters.update(
        count=lambda number: f"{number:,}".replace(",", "\u202f"),
        share=lambda part, whole: part / whole if whole else 0.0,
        of=lambda part, whole: format_share(part / whole) if whole else "—",
        percent=format_share,
        score=format_score,
        short_name=lambda name: SHORT_NAMES.get(name, name),
        score_name=lambda name: str(name).replace("_", " "),
        words=lambda name: str(name).replace("_", " "),
        duration=format_seconds,
    )
    return environment


def format_score(value: float) -> str:
    """A score with three digits after the point, a whole number without any."""
    return str(round(value)) if value == round(value) else f"{value:.3f}"


def format_share(share: float) -> str:
    """A share in [0, 1] as a percentage, never rounded to nothing or to all."""
    if 0 < share < 0.001:
        return "<0.1%"
    if 0.999 < share < 1:
        return ">99.9%"
    return f"{100 * share:.0f}%" if share in (0, 1) else f"{100 * share:.1f}%"


def pair_cards(
    dataset: FinishedDataset, options: PageOptions, truth: TruthReport | None
) -> list[cards.PairCard]:
    """The contact sheet: a stable sample, even over part of speech, relation and method."""
    columns = ("part_of_speech", "relation", "method")
    places = sample_places(dataset.pairs, options.pairs, seed=options.seed, columns=columns)
    rows = fetch_rows(dataset.pairs, places, cards.CARD_COLUMNS)
    return cards.make_cards(
        rows,
        truth.verdicts if truth else {},
        budget=options.picture_bytes,
        limits=dataset.limits,
    )


@dataclass(frozen=True)
class RejectGroup:
    """The rejects of one stage and reason: how many there are, and the few that are shown."""

    stage: str
    reason: str
    number: int
    lines: tuple[cards.RejectLine, ...]


def group_rejects(dataset: FinishedDataset, funnel: Funnel, seed: int) -> list[RejectGroup]:
    """The rejects shown, even over stages and reasons, in the order of the funnel."""
    places = sample_places(dataset.rejects, MOST_REJECTS, seed=seed, columns=("stage", "reason"))
    lines = [
        cards.make_line(row)
        for row in fetch_rows(dataset.rejects, places, cards.REJECT_LINE_COLUMNS)
    ]
    numbers: Counter[tuple[str, str]] = Counter()
    for step in (*funnel.picture_steps, *funnel.edit_steps):
        for reason, number in step.reasons.items():
            numbers[step.stage, reason] += number
    groups = [
        RejectGroup(
            stage,
            reason,
            number,
            tuple(line for line in lines if (line.stage, line.reason) == (stage, reason)),
        )
        for (stage, reason), number in numbers.items()
    ]
    return [group for group in groups if group.lines]


def dataset_context(
    dataset: FinishedDataset, origin: Origin, counts: PairCounts, funnel: Funnel
) -> dict[str, Any]:
    """What the template needs to know of the data set as a whole."""
    masks = (
        ("Source masks", counts.source_masks, "source"),
        ("Target masks", counts.target_masks, "target"),
    )
    style = find_package_data("pipelines", "report/page.css")
    picture_rejects = sum(step.rejected for step in funnel.picture_steps)
    return {
        "origin": origin,
        "manifest": dataset.manifest,
        "style": Markup(style.read_text(encoding="utf-8")),
        "counts": counts,
        "funnel": funnel,
        "picture_rejects": picture_rejects,
        "total_rejects": picture_rejects + sum(step.rejected for step in funnel.edit_steps),
        "total_seconds": sum(seconds for _, seconds in origin.seconds),
        "kind_rows": counts.kinds().most_common(),
        "exchange_rows": counts.exchanges.most_common(MOST_EXCHANGES),
        "mask_panels": [(name, mask, draw_areas(mask, name, style)) for name, mask, style in masks],
    }


def draw_areas(masks: MaskCounts, name: str, style: str) -> Markup:
    """The histogram of mask areas, cut off above the largest one."""
    used = np.flatnonzero(masks.areas)
    bins = min(len(masks.areas), int(used[-1]) + 2) if used.size else len(masks.areas)
    return charts.draw_histogram(masks.areas[:bins], 0, bins / len(masks.areas), name, style)


def pair_context(sheet: list[cards.PairCard], truth: TruthReport | None) -> dict[str, Any]:
    """What the template needs for the contact sheet."""
    verdicts = {card.verdict.right for card in sheet if card.verdict is not None}
    shown = [side.picture for card in sheet for side in (card.source, card.target) if side.picture]
    kinds = sorted({f"{card.part_of_speech}, {card.relation}" for card in sheet})
    return {
        "cards": sheet,
        "kinds": kinds if len(kinds) > 1 else [],
        "verdict_words": ["right", "wrong"] if len(verdicts) == 2 else [],
        "small_pictures": all(picture.pixelated for picture in shown),
        "truth": truth,
    }


def truth_context(
    dataset: FinishedDataset, options: PageOptions, truth: TruthReport | None, origin: Origin
) -> dict[str, Any]:
    """What the template needs to say about right and wrong."""
    if truth is None:
        no_truth = TRUTH_NOT_GIVEN if origin.is_still_life else NO_TRUTH
        return {"no_truth": no_truth, "warning": origin.warning, "wrong_cards": []}
    wrong = {key for key, verdict in truth.verdicts.items() if not verdict.right}
    places = sample_places(
        dataset.pairs, MOST_WRONG, seed=options.seed, columns=(), wanted=wrong.__contains__
    )
    rows = fetch_rows(dataset.pairs, places, cards.CARD_COLUMNS)
    return {
        "warning": "",
        "truth_rows": [("everything", truth.pairs), *truth.attributes.items()],
        "positions": sum_up_positions(truth),
        "wrong_cards": cards.make_cards(
            rows, truth.verdicts, budget=WRONG_PICTURE_BYTES, limits=dataset.limits
        ),
    }


def sum_up_positions(truth: TruthReport) -> Positions | None:
    """Mean, middle and histogram of the position errors; None where there are none."""
    errors = np.asarray(truth.position_errors_px, np.float64)
    if not errors.size:
        return None
    high = max(float(np.ceil(errors.max())), 1.0)
    counts = np.histogram(errors, bins=POSITION_BINS, range=(0, high))[0]
    label = f"distances in pixels from 0 to {high:.0f}, {errors.mean():.1f} on average"
    drawing = charts.draw_histogram(counts, 0, high, label, "kept")
    return Positions(errors.size, float(errors.mean()), float(np.median(errors)), drawing)


def score_context(dataset: FinishedDataset, origin: Origin) -> dict[str, Any]:
    """What the template needs for the score panels and the threshold curves."""
    distributions = measure_scores(dataset, origin.thresholds)
    curves = [
        trace_curve(each, index) for each in distributions for index in range(len(each.thresholds))
    ]
    return {
        "flags": FLAGS,
        "worked_out": WORKED_OUT,
        "panels": [(each, charts.draw_distribution(each)) for each in distributions],
        "curves": [(curve, name_rule(curve.threshold), draw_cost(curve)) for curve in curves],
    }


def name_rule(rule: Threshold) -> str:
    """A threshold in words."""
    if rule.score in FLAGS:
        return "new word required" if rule.side == MINIMUM else "old word forbidden"
    side = "at least" if rule.side == MINIMUM else "at most"
    return f"{rule.score.replace('_', ' ')} {side} {rule.value:g}"


def draw_cost(curve: Curve) -> Markup:
    """What a threshold costs: a curve, or a bar for a requirement that is made or not."""
    if curve.threshold.score in FLAGS:
        return charts.draw_requirement(curve)
    return charts.draw_curve(curve)
