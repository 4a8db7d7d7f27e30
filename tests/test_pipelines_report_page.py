"""The whole page: it says what the data set holds, is safe, and needs nothing else."""

import re
from html.parser import HTMLParser

import pytest
from fakes.report import FOLDER, write_dataset

from pipelines.report.dataset import open_dataset
from pipelines.report.page import PageOptions, format_share, make_page
from pipelines.truth import Accuracy, TruthReport, Verdict
from transforms.dataset.tables import ShardedTable

VOID = {"meta", "link", "img", "br", "rect", "line", "polyline", "polygon"}


class Reader(HTMLParser):
    """Collects tags, texts and attributes, and checks that every element is closed."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "script"):
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def of(self, tag):
        return [attributes for each, attributes in self.attributes if each == tag]


def page_of(folder, truth=None, **options):
    return make_page(open_dataset(folder), PageOptions(**options), truth)


@pytest.fixture(scope="module")
def truth():
    keys = [f"s{n % 2}-{n:06d}-0" for n in range(30)]
    verdicts = {key: Verdict(right=True) for key in keys}
    verdicts[keys[4]] = Verdict(right=False, what_is_wrong="size changed too: small, now <large>")
    return TruthReport(
        pairs=Accuracy(29, 30),
        attributes={"colour": Accuracy(29, 30), "size": Accuracy(28, 30)},
        position_errors_px=[1.0, 2.0, 6.0],
        verdicts=verdicts,
    )


def test_the_page_says_what_is_in_the_data_set(report_folder):
    page = page_of(report_folder)
    text = Reader(page.html).text
    assert page.shown == 30
    assert "All 30 pairs." in text
    assert "Pictures read 48 100%" in text
    assert "Edits proposed 42 100%" in text
    assert "directional too low" in text
    assert "preset stilllife seed 7 configuration" in text
    assert "package:stilllife/weights/blip" in text
    assert "thresholds.rest" in text
    assert "1 min 02 s" in text
    assert "do not add up" not in text


def test_every_pair_shows_both_pictures_and_both_masks(report_folder):
    page = page_of(report_folder, pairs=8)
    images = Reader(page.html).of("img")
    assert page.shown == 8
    assert len(images) == 8 * 4
    assert all(image["alt"] and image["src"].startswith("data:image/png") for image in images)
    assert all(image["class"] == "pixelated" for image in images)


def test_the_exchanged_word_is_marked_in_both_texts(report_folder):
    html = page_of(report_folder, pairs=30).html
    found = re.findall(r'<div class="(source|target)">a .*?<mark>(\w+)</mark>', html)
    assert [side for side, _ in found].count("source") >= 30
    assert [side for side, _ in found].count("target") >= 30


def test_the_page_loads_nothing(report_folder, truth):
    html = page_of(report_folder, truth).html
    reader = Reader(html)
    addresses = [a[name] for _, a in reader.attributes for name in ("src", "href") if name in a]
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "url(" not in html
    assert "@import" not in html
    assert "http:" not in html
    assert "https:" not in html


def test_texts_of_the_data_set_are_escaped(tmp_path):
    attack = "<script>alert(1)</script><img src=x onerror=alert(2)> \" ' & {{ 7*7 }}"

    def change(row):
        caption = f"a {row['source_word']} {attack}"
        prompt = f"a {row['target_word']} {attack}"
        changed = {"caption": caption, "edit_prompt": prompt, "target_caption": f"own {attack}"}
        return row | changed | {"relation": attack, "source_word": row["source_word"]}

    reader = Reader(page_of(write_dataset(tmp_path, pairs=3, change=change)).html)
    assert reader.tags.count("script") == 1
    assert all("onerror" not in attributes for _, attributes in reader.attributes)
    assert "alert(2)> \" ' & {{ 7*7 }}" in reader.text


def test_the_page_is_a_function_of_data_and_seed(report_folder):
    assert page_of(report_folder, pairs=6).html == page_of(report_folder, pairs=6).html
    assert page_of(report_folder, pairs=6).html != page_of(report_folder, pairs=6, seed=1).html


def test_truth_is_shown_where_it_is_known(report_folder, truth):
    reader = Reader(page_of(report_folder, truth).html)
    assert "Right, by the truth 96.7% 29 of 30" in reader.text
    assert "✗ wrong : size changed too: small, now <large>" in reader.text
    assert reader.text.count("✓ right") == 29
    assert "Wrong pairs" in reader.text
    assert "3.0 on average, median 2.0" in reader.text
    assert "No truth is known" not in reader.text


def test_without_truth_the_page_says_so(report_folder, tmp_path):
    still = Reader(page_of(report_folder).html).text
    assert "it was not asked for this page" in still
    assert "✓ right" not in still
    photographs = Reader(page_of(write_dataset(tmp_path, pairs=3, source=FOLDER)).html).text
    assert "No truth is known for this collection" in photographs


def test_small_models_on_other_pictures_are_not_to_be_believed(report_folder, tmp_path):
    photographs = Reader(page_of(write_dataset(tmp_path, pairs=3, source=FOLDER)).html).text
    assert "cannot describe photographs" in photographs
    assert "not to be believed" in photographs
    assert "cannot describe photographs" not in Reader(page_of(report_folder).html).text


def test_a_data_set_without_pairs_has_a_page(tmp_path):
    page = page_of(write_dataset(tmp_path, pairs=0, rejects=12))
    text = Reader(page.html).text
    assert page.shown == 0
    assert "There is no pair in this data set." in text
    assert "Read turned away" in text


def test_a_data_set_without_rejects_has_a_page(tmp_path):
    assert (
        "Nothing was rejected."
        in Reader(page_of(write_dataset(tmp_path, pairs=4, rejects=0)).html).text
    )


def test_broken_pictures_and_missing_masks_do_not_stop_the_page(tmp_path):
    def change(row):
        missing = {"source_mask": None, "source_mask_area": None, "source_mask_confidence": None}
        return row | missing | {"input_image": {"bytes": b"broken", "path": None}}

    reader = Reader(page_of(write_dataset(tmp_path, pairs=3, rejects=0, change=change)).html)
    assert "not to be had" in reader.text
    assert "not computed" in reader.text
    assert len(reader.of("img")) == 6


def test_numbers_that_do_not_add_up_are_shown(tmp_path):
    import dataclasses

    dataset = open_dataset(write_dataset(tmp_path, pairs=4, rejects=12))
    lacking = dataclasses.replace(dataset, rejects=ShardedTable([]))
    assert "The numbers do not add up" in Reader(make_page(lacking, PageOptions()).html).text


def test_large_pictures_are_shown_as_long_as_there_is_room(tmp_path):
    folder = write_dataset(tmp_path, pairs=12, rejects=0, source=FOLDER, side=300)
    page = page_of(folder, pairs=12, picture_bytes=200_000)
    reader = Reader(page.html)
    assert 1 < page.shown < 12
    assert sum(len(image["src"]) for image in reader.of("img")) < 200_000
    assert f"{page.shown} of 12 pairs" in reader.text
    assert all(image["src"].startswith("data:image/jpeg") for image in reader.of("img"))
    assert page_of(folder, pairs=12, picture_bytes=1).shown == 1


def test_tables_and_drawings_can_be_read_aloud(report_folder, truth):
    reader = Reader(page_of(report_folder, truth).html)
    assert all(a.get("scope") for a in reader.of("th"))
    assert all(a.get("role") == "img" and a.get("aria-label") for a in reader.of("svg"))
    assert reader.of("html") == [{"lang": "en"}]
    identifiers = [a["id"] for _, a in reader.attributes if "id" in a]
    assert len(identifiers) == len(set(identifiers))
    targets = {a["href"].removeprefix("#") for a in reader.of("a")}
    assert targets <= set(identifiers)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0%"), (1, "100%"), (0.0004, "<0.1%"), (0.9996, ">99.9%"), (0.5, "50.0%")],
)
def test_shares(share, text):
    assert format_share(share) == text


def test_no_pairs_cannot_be_asked_for():
    with pytest.raises(ValueError, match="pairs must be >= 1, got 0"):
        PageOptions(pairs=0)


def test_more_right_than_there_are():
    with pytest.raises(ValueError, match="right must be in"):
        Accuracy(3, 2)
