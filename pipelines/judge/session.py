"""One judge at work: which pair is next, what is shown of it, and the marks that are given."""

import io
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from indexes.errors import PairloomError
from pipelines.marking import MarkedText, mark_word
from pipelines.marks.judged import JudgedPairs, JudgingSummary, sum_up
from pipelines.marks.marks_file import Mark, MarksFile
from pipelines.marks.strata import RankedPair
from transforms.dataset.reader import Pair, PairsDataset
from transforms.dataset.tables import DatasetError
from transforms.pictures.contact_sheet import RGB
from transforms.pictures.overlay import SMALL_SIDE, overlay

PICTURES = ("source", "target", "source_mask", "target_mask")
LARGEST_SIDE = 1024
"""Above this side a picture is scaled down for the page."""
_COLOURS: dict[str, RGB] = {"source": (214, 84, 40), "target": (20, 132, 150)}
_PAIRS_HELD = 8


class JudgeError(PairloomError, ValueError):
    """What the page asked for is not there, in one line."""


@dataclass(frozen=True)
class Texts:
    """The words of a pair as the page shows them, the exchanged word apart."""

    caption: MarkedText
    edit_prompt: MarkedText

    @classmethod
    def of(cls, pair: Pair) -> "Texts":
        """Those of `pair`."""
        caption, prompt = pair.caption, pair.edit_prompt
        return cls(
            mark_word(caption, pair.source_word, other=prompt),
            mark_word(prompt, pair.target_word, other=caption),
        )


class JudgingSession:
    """The pairs of a data set in the order of the draw, for one judge.

    Args:
        dataset: the data set.
        pairs: its pairs in the order of the draw.
        file: takes the marks.
        judge: who gives them.
        count: how many pairs are asked about.

    May be used by several threads.
    """

    def __init__(
        self,
        dataset: PairsDataset,
        pairs: Sequence[RankedPair],
        *,
        file: MarksFile,
        judge: str,
        count: int,
    ) -> None:
        self._dataset = dataset
        self._pairs = list(pairs)
        self._asked = self._pairs[:count]
        self._by_key = {pair.key: pair for pair in self._pairs}
        self._file = file
        self._judge = judge
        self._held: OrderedDict[int, Pair] = OrderedDict()
        self._lock = threading.RLock()

    @property
    def judge(self) -> str:
        """Who gives the marks."""
        return self._judge

    def state(self, undone: Mark | None = None) -> dict[str, Any]:
        """What the page needs to show the next pair; `pair` is None where all are marked.

        `undone` is the mark that was just taken back, so that the page can show it.
        """
        with self._lock:
            own = self._file.marks.of(self._judge)
            left = [pair for pair in self._asked if pair.key not in own]
            return {
                "marked": len(self._asked) - len(left),
                "asked": len(self._asked),
                "all": len(self._pairs),
                "can_undo": bool(own),
                "pair": self._describe(left[0]) if left else None,
                "coming": [self._addresses(pair) for pair in left[1:2]],
                "undone": None
                if undone is None
                else {"key": undone.key, "verdict": undone.verdict, "parts": list(undone.parts)},
            }

    def mark(self, key: str, verdict: str, parts: Sequence[str]) -> dict[str, Any]:
        """Keep the judge's mark of the pair `key`, and say what is next.

        Raises:
            JudgeError: there is no such pair.
            ValueError: it is no mark, see `Mark`.
            MarksError: it cannot be written.
        """
        with self._lock:
            pair = self._by_key.get(key)
            if pair is None:
                raise JudgeError(f"the data set has no pair {key!r}")
            self._file.add(Mark(key, pair.target_key, self._judge, verdict, tuple(parts)))
            return self.state()

    def undo(self) -> dict[str, Any]:
        """Take back the judge's last mark, and say what is next: its pair, if it is asked about.

        Raises:
            MarksError: that cannot be written.
        """
        with self._lock:
            return self.state(self._file.undo(self._judge))

    def summary(self) -> JudgingSummary:
        """What all marks of the file say so far."""
        with self._lock:
            return sum_up(JudgedPairs(self._pairs, self._file.marks))

    def picture(self, position: int, name: str) -> bytes:
        """A picture of the pair at a position of the table, as PNG; `name` is of `PICTURES`.

        A mask is the picture with all but the marked part veiled.

        Raises:
            JudgeError: there is no such picture.
            DatasetError: it cannot be read.
        """
        if name not in PICTURES or not 0 <= position < len(self._dataset):
            raise JudgeError(f"there is no picture {name!r} of pair {position}")
        with self._lock:
            pair = self._open(position)
            side = name.partition("_")[0]
            image = pair.source_image if side == "source" else pair.pseudo_target_image
            if name != side:
                mask = pair.source_mask if side == "source" else pair.target_mask
                image = overlay(image, np.asarray(mask) >= 128, _COLOURS[side])
        image = image.copy()
        image.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        image.save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()

    def _open(self, position: int) -> Pair:
        """A pair with what was decoded of it; a few are held, for pictures are asked for singly."""
        pair = self._held.pop(position, None) or self._dataset[position]
        self._held[position] = pair
        while len(self._held) > _PAIRS_HELD:
            self._held.popitem(last=False)
        return pair

    def _describe(self, ranked: RankedPair) -> dict[str, Any]:
        pair = self._open(ranked.position)
        texts = Texts.of(pair)
        return {
            "key": pair.key,
            "caption": _cut(texts.caption),
            "edit_prompt": _cut(texts.edit_prompt),
            "edit_instruction": pair.edit_instruction,
            "source_phrase": pair.source_phrase,
            "target_phrase": pair.target_phrase,
            "pictures": self._addresses(ranked),
            "small": _is_small(pair),
        }

    def _addresses(self, ranked: RankedPair) -> dict[str, str | None]:
        """Where the page finds the pictures; None for masks that were not computed."""
        names = PICTURES if self._open(ranked.position).has_masks else PICTURES[:2]
        return {
            name: f"picture/{ranked.position}/{name}.png" if name in names else None
            for name in PICTURES
        }


def _cut(text: MarkedText) -> list[str]:
    return [text.before, text.marked, text.after]


def _is_small(pair: Pair) -> bool:
    """Whether the page should enlarge the pair's pictures pixel by pixel."""
    try:
        return max(pair.source_image.size) <= 2 * SMALL_SIDE
    except DatasetError:
        return False
