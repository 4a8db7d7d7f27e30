"""Filters of a cleaned data set changed afterwards: as if it had been cleaned so from the start."""

import pyarrow.parquet as pq
import pytest
from fakes import copies
from fakes.command_line import run

from pipelines.rethreshold.clean_writing import refilter
from pipelines.rethreshold.cleaned import read_clean_options
from pipelines.terminal.console import CommandError
from pipelines.verify.dataset import find_problems
from transforms.dataset.manifest import load_manifest
from transforms.protocols import SourceError

WORDS = ("--splits", "train=0.6,test=0.4", "--cap", "source=1")
ORIGINALS = 12


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs") / "pairs"
    copies.build(folder, originals=ORIGINALS)
    return folder


def clean(pairs, out, *filters):
    words = [word for rule in filters for word in ("--filter", rule)]
    assert run("clean", pairs, "--out", out, *WORDS, *words).code == 0
    return out


class Opened:
    """The pictures of the pairs, as their sources would give them."""

    def __init__(self):
        self.bytes = [data for _, data in copies.Copies(ORIGINALS).pictures()]

    def open(self, reference):
        return self.bytes[int(reference.removeprefix("p"))]


class Gone:
    def open(self, reference):
        raise SourceError(f"{reference}: gone")


def change(folder, out, *rules, source=None):
    parent = load_manifest(folder)
    options = read_clean_options(parent, list(rules), folder=folder)
    source = source or Opened()
    return refilter(folder, out, parent, options, sources=lambda: (source, source))


def keys(folder, kind="pairs"):
    """Key, split and stage of every row, shard by shard."""
    return [
        tuple(row.get(name) for name in ("key", "number", "split", "stage", "reason", "detail"))
        for path in sorted(folder.glob(f"{kind}-*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]


@pytest.mark.parametrize(
    "rule",
    [
        "sharpness=>=600",
        "sharpness=none",
        "licence=CC0",
        "language=en,de",
        "similarity=>=0.28?",
    ],
)
def test_it_is_what_cleaning_with_that_rule_gives(pairs, tmp_path, rule):
    first = clean(pairs, tmp_path / "first", "sharpness=>=300")
    made = change(first, tmp_path / "changed", rule)
    rules = [rule] if rule.startswith("sharpness") else ["sharpness=>=300", rule]
    wanted = clean(pairs, tmp_path / "wanted", *[each for each in rules if "none" not in each])
    assert find_problems(tmp_path / "changed").problems == []
    for kind in ("pairs", "rejects"):
        assert keys(tmp_path / "changed", kind) == keys(wanted, kind)
    assert made.counts == load_manifest(wanted).counts
    assert made.counts != load_manifest(first).counts


def test_pairs_that_come_back_have_their_pictures_and_no_masks(pairs, tmp_path):
    first = clean(pairs, tmp_path / "first", "sharpness=>=300")
    change(first, tmp_path / "changed", "sharpness=none")
    before = {key for key, *_ in keys(first)}
    pictures = dict(enumerate(Opened().bytes))
    back = [
        row
        for path in sorted((tmp_path / "changed").glob("pairs-*.parquet"))
        for row in pq.read_table(path).to_pylist()
        if row["key"] not in before
    ]
    assert back
    for row in back:
        assert row["mask_status"] == "not_computed"
        assert row["edited_image"]["bytes"] == pictures[int(row["target_key"][1:])]


def test_pairs_whose_pictures_are_gone_are_rejects(pairs, tmp_path):
    first = clean(pairs, tmp_path / "first", "sharpness=>=300")
    made = change(first, tmp_path / "changed", "sharpness=none", source=Gone())
    assert made.counts.rejects["write"]["picture_gone"] > 0
    assert find_problems(tmp_path / "changed").problems == []


def test_what_was_not_measured_cannot_be_asked_for(pairs, tmp_path):
    capped = tmp_path / "capped"
    assert run("clean", pairs, "--out", capped, "--cap", "source=1").code == 0
    with pytest.raises(CommandError, match="sharpness was not measured when"):
        change(capped, tmp_path / "changed", "sharpness=>=3")


def test_what_was_cleaned_twice_is_not_unravelled(pairs, tmp_path):
    first = clean(pairs, tmp_path / "first", "licence=CC0")
    assert run("clean", first, "--out", tmp_path / "second", "--cap", "exchange=2").code == 0
    with pytest.raises(CommandError, match="was cleaned 2 times or against a test set"):
        change(tmp_path / "second", tmp_path / "changed", "licence=none")


def test_what_a_filter_dropped_does_not_come_back_past_a_test_set(pairs, tmp_path):
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "0.png").write_bytes(Opened().bytes[0])
    assert run("decontaminate", pairs, "--against", tests, "--out", tmp_path / "out").code == 0
    done = run("rethreshold", tmp_path / "out", "--out", tmp_path / "x", "--filter", "flat=none")
    assert done.code == 2
    assert "or against a test set" in done.error


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--threshold", "rest=0.5"), "was cleaned, so that only --filter can change"),
        ((), "was cleaned, so that only --filter can change"),
        (("--filter", "beauty=>=3"), "a filter must be of one of"),
    ],
)
def test_what_cannot_change_is_one_line(pairs, tmp_path, flags, said):
    first = clean(pairs, tmp_path / "first", "licence=CC0")
    done = run("rethreshold", first, "--out", tmp_path / "out", *flags)
    assert done.code == 2
    assert said in done.error


def test_filters_are_of_cleaned_sets_alone(pairs, tmp_path):
    done = run("rethreshold", pairs, "--out", tmp_path / "out", "--filter", "licence=CC0")
    assert done.code == 2
    assert "was not cleaned: use `pairloom clean --filter`" in done.error
