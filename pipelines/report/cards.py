"""One pair, and one reject, as the page shows them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.marking import MarkedText, mark_difference, mark_word
from pipelines.report.pictures import (
    SOURCE_COLOUR,
    TARGET_COLOUR,
    PagePicture,
    mask_as_array,
    open_side,
    put_on_page,
    scale_down,
)
from pipelines.truth import Verdict
from transforms.dataset.schema import SCORE_COLUMNS, score_column
from transforms.pictures.contact_sheet import RGB
from transforms.pictures.limits import STORED_LIMITS, PictureLimits
from transforms.pictures.overlay import overlay
from transforms.record import SCORE_NAMES

MAIN_SCORES = ("directional", "structure", "image_image", "text_image_target")
OTHER_SCORES = tuple(name for name in SCORE_NAMES if name not in MAIN_SCORES)

_SCORES = tuple(column.name for column in SCORE_COLUMNS)
CARD_COLUMNS = (
    *("key", "caption", "edit_prompt", "target_caption", "source_word", "target_word"),
    *("source_phrase", "target_phrase", "relation", "part_of_speech", "method"),
    *("input_image", "edited_image", "source_mask", "target_mask"),
    *("mask_status", "source_mask_area", "target_mask_area", "target_key"),
    *_SCORES,
)
REJECT_LINE_COLUMNS = (
    *("key", "number", "stage", "reason", "detail", "caption", "edit_prompt", "target_key"),
    *_SCORES,
)


@dataclass(frozen=True, kw_only=True)
class Side:
    """Source or target of a pair: the picture, the same with its mask laid over, and the words.

    `picture` is None where its bytes cannot be decoded, `masked` where no mask was computed.
    `area` is the marked share of the picture in [0, 1]; None without a mask.
    """

    picture: PagePicture | None
    masked: PagePicture | None
    phrase: str
    area: float | None
    text: MarkedText


@dataclass(frozen=True, kw_only=True)
class PairCard:
    """One pair of the contact sheet.

    `own_caption` is the target's own caption where it is not the edit prompt word for word.
    """

    key: str
    target_key: str
    source: Side
    target: Side
    own_caption: MarkedText | None
    relation: str
    part_of_speech: str
    method: str
    main_scores: tuple[tuple[str, float], ...]
    other_scores: tuple[tuple[str, float], ...]
    verdict: Verdict | None

    @property
    def bytes(self) -> int:
        """About how much of the page the card's pictures take."""
        sides = (self.source, self.target)
        shown = (picture for side in sides for picture in (side.picture, side.masked))
        return sum(len(picture.address) for picture in shown if picture is not None)


@dataclass(frozen=True, kw_only=True)
class RejectLine:
    """One rejected picture or edit; `edit` is the number of the edit, None for a whole picture."""

    key: str
    edit: int | None
    stage: str
    reason: str
    detail: str
    caption: MarkedText | None
    edit_prompt: MarkedText | None
    target_key: str | None
    main_scores: tuple[tuple[str, float], ...]
    other_scores: tuple[tuple[str, float], ...]


def make_cards(
    rows: Iterable[Mapping[str, Any]],
    verdicts: Mapping[str, Verdict],
    *,
    budget: int,
    limits: PictureLimits = STORED_LIMITS,
) -> list[PairCard]:
    """The cards of `rows`, as many as fit into `budget` bytes of pictures, but at least one.

    `limits` are those of the data set, for decoding its pictures.
    """
    cards: list[PairCard] = []
    spent = 0
    for row in rows:
        card = make_card(row, verdicts.get(row["key"]), limits=limits)
        spent += card.bytes
        if cards and spent > budget:
            break
        cards.append(card)
    return cards


def make_card(
    row: Mapping[str, Any], verdict: Verdict | None, *, limits: PictureLimits = STORED_LIMITS
) -> PairCard:
    """The card of one row of the pairs, read with `CARD_COLUMNS`."""
    caption, prompt = row["caption"] or "", row["edit_prompt"] or ""
    own = row["target_caption"] or ""
    return PairCard(
        key=row["key"],
        target_key=row["target_key"],
        source=make_side(
            row,
            "source",
            mark_word(caption, row["source_word"], other=prompt),
            SOURCE_COLOUR,
            limits=limits,
        ),
        target=make_side(
            row,
            "target",
            mark_word(prompt, row["target_word"], other=caption),
            TARGET_COLOUR,
            limits=limits,
        ),
        own_caption=mark_word(own, row["target_word"]) if own != prompt else None,
        relation=row["relation"],
        part_of_speech=row["part_of_speech"],
        method=row["method"],
        main_scores=pick_scores(row, MAIN_SCORES),
        other_scores=pick_scores(row, OTHER_SCORES),
        verdict=verdict,
    )


def make_side(
    row: Mapping[str, Any],
    side: str,
    words: MarkedText,
    colour: RGB,
    *,
    limits: PictureLimits = STORED_LIMITS,
) -> Side:
    """The `side` (source or target) of a pair."""
    image, mask = open_side(row, side, limits)
    picture = masked = None
    if image is not None:
        image = scale_down(image)
        picture = put_on_page(image)
        if mask is not None:
            masked = put_on_page(overlay(image, mask_as_array(mask, image.size), colour))
    return Side(
        picture=picture,
        masked=masked,
        phrase=row[f"{side}_phrase"],
        area=row[f"{side}_mask_area"],
        text=words,
    )


def pick_scores(row: Mapping[str, Any], names: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """The scores among `names` that were measured, in that order."""
    values = ((name, row[score_column(name)]) for name in names)
    return tuple((name, value) for name, value in values if value is not None)


def make_line(row: Mapping[str, Any]) -> RejectLine:
    """The line of one row of the rejects, read with `REJECT_LINE_COLUMNS`."""
    caption, prompt = row["caption"], row["edit_prompt"]
    return RejectLine(
        key=row["key"],
        edit=row["number"],
        stage=row["stage"],
        reason=row["reason"],
        detail=row["detail"] or "",
        caption=mark_difference(caption, prompt if prompt else caption) if caption else None,
        edit_prompt=mark_difference(prompt, caption if caption else prompt) if prompt else None,
        target_key=row["target_key"],
        main_scores=pick_scores(row, MAIN_SCORES),
        other_scores=pick_scores(row, OTHER_SCORES),
    )
