"""What is dropped is a function of pairs, groups and options; and nothing leaks."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.cleaning.deciding import PairFacts, decide, split_of
from pipelines.cleaning.grouping import Pictures
from pipelines.cleaning.options import CleanOptions, CleanOptionsError, read_caps, read_splits
from transforms.filter_rules import read_rules

SPLITS = {"train": 0.6, "val": 0.2, "test": 0.2}
NUMBERS = st.integers(0, 11)


def facts(source, target, number=0, *, groups=6, **said):
    """A pair of pictures; picture n is in group n modulo `groups`."""
    return PairFacts(
        key=f"k{source}-{target}-{number}",
        source=f"{source:064x}",
        target=f"{target:064x}",
        source_group=f"{source % groups:016x}",
        target_group=f"{target % groups:016x}",
        exchange=f"w{source % 2} -> w{target % 3}",
        **said,
    )


PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), unique=True, max_size=60).map(
    lambda pairs: [facts(source, target) for source, target in pairs if source != target]
)


def kept(pairs, options, pictures=None):
    dropped = decide(pairs, pictures or Pictures(), options).drops
    return [pair for pair in pairs if pair.key not in dropped]


@given(PAIRS, st.integers(0, 2**32))
def test_no_group_stands_in_two_splits_whatever_the_seed(pairs, seed):
    options = CleanOptions(splits=SPLITS, seed=seed)
    of_group = {}
    for pair in kept(pairs, options):
        split = split_of(pair.source_group, SPLITS, seed)
        for group in (pair.source_group, pair.target_group):
            assert of_group.setdefault(group, split) == split


@given(PAIRS, st.integers(0, 99))
def test_only_pairs_that_cross_are_dropped(pairs, seed):
    options = CleanOptions(splits=SPLITS, seed=seed)
    dropped = decide(pairs, Pictures(), options).drops
    for pair in pairs:
        here, there = (
            split_of(group, SPLITS, seed) for group in (pair.source_group, pair.target_group)
        )
        assert (pair.key in dropped) == (here != there)
        if here != there:
            assert dropped[pair.key].detail == f"the source is in {here} and the target in {there}"


CAPS = st.fixed_dictionaries(
    {}, optional={name: st.integers(1, 4) for name in ("exchange", "target", "source", "group")}
).filter(bool)


@given(PAIRS, CAPS, st.integers(0, 99))
def test_no_cap_is_broken_and_nothing_is_dropped_that_there_is_room_for(pairs, caps, seed):
    options = CleanOptions(caps=caps, seed=seed)
    left = kept(pairs, options)

    def count(pairs):
        counts = Counter()
        for pair in pairs:
            counts.update(
                [
                    ("exchange", pair.exchange),
                    ("source", pair.source),
                    ("target", pair.target),
                    *(("group", each) for each in {pair.source_group, pair.target_group}),
                ]
            )
        return counts

    assert all(number <= caps.get(name, number) for (name, _), number in count(left).items())
    for pair in pairs:
        if pair not in left:
            fuller = count([*left, pair])
            assert any(number > caps.get(name, number) for (name, _), number in fuller.items())


@given(PAIRS, st.randoms(use_true_random=False), st.booleans())
def test_the_order_of_the_pairs_changes_nothing(pairs, random, one_a_group):
    options = CleanOptions(splits=SPLITS, caps={"group": 3, "exchange": 4}, one_a_group=one_a_group)
    shuffled = list(pairs)
    random.shuffle(shuffled)
    assert decide(shuffled, Pictures(), options) == decide(pairs, Pictures(), options)


@given(PAIRS)
def test_of_each_group_one_picture_stays(pairs):
    pictures = {}
    for pair in kept(pairs, CleanOptions(one_a_group=True)):
        for group, picture in (
            (pair.source_group, pair.source),
            (pair.target_group, pair.target),
        ):
            assert pictures.setdefault(group, picture) == picture


def test_the_picture_of_most_pairs_stays():
    pairs = [facts(0, 1), facts(6, 2), facts(6, 3), facts(12, 4)]  # 0, 6 and 12 are copies
    dropped = decide(pairs, Pictures(), CleanOptions(one_a_group=True)).drops
    assert set(dropped) == {pairs[0].key, pairs[3].key}
    assert dropped[pairs[0].key].reason == "source_copy"
    assert "which stays" in dropped[pairs[0].key].detail


def test_shares_of_splits_are_about_those_asked_for():
    counts = Counter(split_of(f"{n:016x}", SPLITS, 5) for n in range(4000))
    assert {name: round(counts[name] / 4000, 1) for name in SPLITS} == SPLITS


def test_a_group_keeps_its_split_when_others_come_or_go():
    before = split_of("00ff" * 4, SPLITS, 1)
    assert split_of("00ff" * 4, {"train": 0.6, "val": 0.2, "test": 0.2}, 1) == before


def test_near_copies_of_test_pictures_are_dropped_and_named():
    pictures = Pictures(tests={f"{2:016x}": "coco-17"})
    pairs = [facts(8, 1), facts(1, 2), facts(3, 4)]
    found = decide(pairs, pictures, CleanOptions())
    assert {key: each.reason for key, each in found.drops.items()} == {
        pairs[0].key: "source_in_test",
        pairs[1].key: "target_in_test",
    }
    assert found.drops[pairs[1].key].detail.endswith("near-copy of the test picture coco-17")


def test_both_pictures_must_keep_the_rules():
    rules = read_rules(["licence=CC0", "sharpness=>=5"])
    good = {"licence": "CC0"}
    pairs = [
        facts(0, 1, said=(good, good)),
        facts(0, 2, said=(good, {"licence": "CC-BY-NC"})),
        facts(3, 1, said=(good, good)),
    ]
    pictures = Pictures(
        rows={f"{n:064x}": n for n in range(4)},
        values=[{"sharpness": value} for value in (9.0, 8.0, 7.0, 1.0)],
    )
    drops = decide(pairs, pictures, CleanOptions(filters=rules)).drops
    assert {key: each.detail for key, each in drops.items()} == {
        pairs[1].key: "target: licence must be CC0, got CC-BY-NC",
        pairs[2].key: "source: sharpness must be >=5, got 1",
    }


def test_a_stage_sees_what_those_before_it_let_through():
    pairs = [facts(source, target) for source in range(6) for target in range(6, 12)]
    options = CleanOptions(splits=SPLITS, caps={"source": 1})
    found = decide(pairs, Pictures(), options)
    crossing = sum(each.stage == "split" for each in found.drops.values())
    assert found.before == {"split": 36, "balance": 36 - crossing}
    balanced = [pair for pair in pairs if pair.key not in found.drops]
    assert len(balanced) == len({pair.source for pair in balanced})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"splits": {"train": 0.9}}, "must add up to 1, got 0.9"),
        ({"splits": {"train": 1.5, "test": -0.5}}, r"must be in \(0, 1\], got 1.5"),
        ({"splits": {"Train": 1.0}}, "a lower-case word, got 'Train'"),
        ({"caps": {"word": 1}}, "a cap must be of exchange, target, source, group"),
        ({"caps": {"source": 0}}, "at least 1, got source=0"),
    ],
)
def test_options_that_say_nothing(settings, said):
    with pytest.raises(CleanOptionsError, match=said):
        CleanOptions(**settings)


@pytest.mark.parametrize("text", ["train", "train=much", "=1", "train=0.5,train=0.5"])
def test_splits_that_cannot_be_read(text):
    with pytest.raises(CleanOptionsError, match=r"must be|given once"):
        read_splits(text)


def test_caps_are_whole_numbers():
    assert read_caps(["source=2", "exchange=10"]) == {"source": 2, "exchange": 10}
    with pytest.raises(CleanOptionsError, match=r"must be a number, got '2\.5'"):
        read_caps(["source=2.5"])
