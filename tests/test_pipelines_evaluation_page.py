"""The page of an evaluation: whole in itself, and all that was measured on it."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from fakes.evaluation import evaluate
from fakes.pairs import write_pairs
from fakes.pictures import encoded

from editing.evaluation.intervals import Interval
from pipelines.evaluation.cases import spread_evenly
from pipelines.evaluation.page import in_words, show_row


class Texts(HTMLParser):
    """The texts of a page by the element they stand in."""

    def __init__(self, page):
        super().__init__()
        self.found = {}
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self._inside = tag

    def handle_data(self, data):
        if data.strip():
            self.found.setdefault(self._inside, []).append(" ".join(data.split()))


@pytest.fixture
def page(evaluated):
    return (evaluated[0] / "evaluation.html").read_text()


def test_the_page_needs_nothing_else_and_shows_the_edits(page):
    assert page.count("<svg") > 8
    # Two of the pair, three of the editors, and of one of these its region and how that was found.
    assert page.count("data:image/png;base64,") == 5 * (2 + 3 + 2)
    assert page.count("how iedit-m came to its edit") == page.count("<details>") == 5
    assert page.count('class="region"') == 5
    without_pictures = re.sub('base64,[^"]*', "", page)
    assert "http" not in without_pictures
    assert "nan" not in without_pictures


def test_editors_stand_in_the_order_that_was_asked_for(page):
    texts = Texts(page).found
    assert texts["h1"] == ["copy, sdedit, iedit-m on told"]
    assert texts["b"][-5:] == ["source", "copy", "sdedit", "iedit-m", "pseudo-target"]
    assert re.search("<i [^>]*></i>copy.*</i>sdedit.*</i>iedit-m", page)


def test_settings_are_told_as_a_person_writes_them(page):
    assert (
        "strength 0.4, 0.8; guidance scale 7.5; guided share 1; num inference steps 3; paste no"
        in page
    )
    assert "regions by the segmenter (mask grow 0)" in page


def test_every_metric_has_a_chart_under_a_caption(page):
    captions = Texts(page).found["figcaption"]
    assert len(captions) == page.count("<svg") == len(set(captions))
    assert captions[0] == "edit right: attribute and all others, over error outside the true object"
    assert "FID, over strength" in captions


def test_masks_that_are_whole_pictures_leave_no_outside_to_compare_at(told_world, tmp_path):
    whole = {"bytes": encoded(np.full((16, 16), 255, np.uint8)), "path": None}
    write_pairs(tmp_path / "pairs", change=lambda row: row | {"source_mask": whole})
    outcome = evaluate(told_world, tmp_path / "eval", pairs=tmp_path / "pairs")
    assert outcome.code == 0, outcome.err
    assert outcome.counts["at_no_more_error"]["value"] == {}
    page = (tmp_path / "eval" / "evaluation.html").read_text()
    heads = Texts(page).found["h2"]
    assert "Against sdedit, edit by edit" in heads
    assert not any("errs no more" in head for head in heads)
    assert "error outside" not in page


def test_a_single_editor_is_compared_with_nobody(told_world, tmp_path):
    words = ("--editors", "copy", "--edits", 2)
    outcome = evaluate(told_world, tmp_path / "eval", *words, settings=())
    assert outcome.code == 0, outcome.err
    heads = Texts((tmp_path / "eval" / "evaluation.html").read_text()).found["h2"]
    assert not any("Against" in head for head in heads)


class TestRow:
    def cells(self, *values):
        columns = [{"m": Interval(*each)} if each else {} for each in values]
        return [re.sub("<[^>]*>", " ", cell) for cell in show_row(columns, "m")]

    def test_all_columns_have_the_digits_of_the_largest(self):
        cells = self.cells((7.114, 3.4, 11.127), (1.2, 0.6, 1.8))
        assert cells == ["7.11 3.40 to 11.13 ", "1.20 0.60 to 1.80 "]
        assert self.cells((0.5, 0.25, 0.75)) == ["0.500 0.250 to 0.750 "]
        assert self.cells((489.29, 489, 490), None) == ["489.3 489.0 to 490.0 ", ""]

    def test_what_rounds_to_nothing_has_no_sign(self):
        assert self.cells((-0.0001, -0.5, 0.0)) == ["0.000 \u22120.500 to 0.000 "]


def test_words_of_a_metric():
    assert in_words("fid") == "FID"
    assert in_words("unheard_of") == "unheard_of"


@pytest.mark.parametrize(
    ("total", "count", "places"),
    [(10, 4, [0, 3, 6, 9]), (3, 16, [0, 1, 2]), (1, 3, [0]), (5, 2, [0, 4])],
)
def test_places_are_spread_evenly(total, count, places):
    assert spread_evenly(total, count) == places
