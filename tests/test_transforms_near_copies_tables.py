"""Near-copies found table by table are those that comparing all with all finds."""

import numpy as np
import pytest

from transforms.near_copies import tables
from transforms.near_copies.fingerprint import VIEW_BYTES, VIEWS, as_words, count_all_bits
from transforms.near_copies.rule import NearCopyRule
from transforms.near_copies.tables import TABLES, Signatures, join_table

RULE = NearCopyRule()


def draw(count, copies, *, seed=0, dimension=32, turned=0.03, noise=0.02):
    """Fingerprints and embeddings of `count` pictures, then of `copies` of the first of them."""
    random = np.random.default_rng(seed)
    bits = random.integers(0, 2, (count, 8 * VIEW_BYTES), dtype=np.uint8)
    vectors = random.standard_normal((count, dimension)).astype(np.float32)
    chosen = np.arange(copies) % count
    other = bits[chosen] ^ (random.random((copies, bits.shape[1])) < turned).astype(np.uint8)
    moved = vectors[chosen] + noise * random.standard_normal((copies, dimension))
    both = np.concatenate([vectors, moved.astype(np.float32)])
    both /= np.linalg.norm(both, axis=1, keepdims=True)
    whole = np.packbits(np.concatenate([bits, other]), axis=1)
    return np.tile(whole, VIEWS), both.astype(np.float32)


def signatures(fingerprints, embeddings):
    return Signatures(fingerprints, embeddings.__getitem__)


def found_by_tables(signs, rule=RULE):
    return {tuple(map(int, pair)) for n in range(TABLES) for pair in join_table(signs, n, rule)}


def found_by_comparing(fingerprints, embeddings, rule=RULE):
    first, second = np.triu_indices(len(fingerprints), 1)
    words = as_words(fingerprints)
    bits = count_all_bits(words[first], words[second])
    cosines = (embeddings[first].astype(float) * embeddings[second]).sum(axis=1)
    near = rule.holds(bits, cosines)
    return set(zip(first[near].tolist(), second[near].tolist(), strict=True))


@pytest.mark.parametrize("turned", [0.0, 0.03, 0.1])
def test_tables_find_what_comparing_all_with_all_finds(turned):
    drawn = draw(300, 120, turned=turned)
    wanted = found_by_comparing(*drawn)
    assert len(wanted) > 100
    found = found_by_tables(signatures(*drawn))
    assert found <= wanted
    assert len(found) >= 0.99 * len(wanted)


def test_pairs_rise_and_stand_once():
    signs = signatures(*draw(100, 60))
    for table in (0, TABLES - 1):
        pairs = join_table(signs, table, RULE)
        assert (pairs[:, 0] < pairs[:, 1]).all()
        assert len(np.unique(pairs, axis=0)) == len(pairs)


def test_how_rows_are_cut_for_memory_changes_nothing(monkeypatch):
    signs = signatures(*draw(200, 90))
    before = [join_table(signs, n, RULE).tolist() for n in (0, 30)]
    monkeypatch.setattr(tables, "ROWS_AT_ONCE", 17)
    assert [join_table(signs, n, RULE).tolist() for n in (0, 30)] == before


def test_thousands_of_the_same_picture_are_joined_though_not_all_are_compared(monkeypatch):
    monkeypatch.setattr(tables, "MOST_COMPARED", 4)
    fingerprints, embeddings = draw(1, 0)
    many = np.repeat(fingerprints, 300, axis=0), np.repeat(embeddings, 300, axis=0)
    pairs = join_table(signatures(*many), 0, RULE)
    assert len(pairs) <= 4 * 300
    assert {*pairs[:, 0].tolist(), *pairs[:, 1].tolist()} == set(range(300))


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_pictures_have_no_near_copies(count):
    fingerprints, embeddings = draw(1, 0)
    assert join_table(signatures(fingerprints[:count], embeddings[:count]), 0, RULE).shape == (0, 2)


def test_a_table_that_is_not_there():
    with pytest.raises(ValueError, match=r"table must be in \[0, "):
        join_table(signatures(*draw(3, 0)), TABLES, RULE)


def test_fingerprints_of_another_width():
    with pytest.raises(ValueError, match="fingerprints must be"):
        Signatures(np.zeros((3, 8), np.uint8), lambda rows: rows)


@pytest.mark.parametrize(
    ("bits", "cosine", "near"),
    [(16, 0.9, True), (17, 0.95, False), (64, 0.97, True), (65, 1.0, False), (0, 0.8, False)],
)
def test_both_signals_must_agree(bits, cosine, near):
    rule = NearCopyRule(sure_bits=16, sure_cosine=0.9, likely_bits=64, likely_cosine=0.97)
    assert rule.holds(np.array([bits]), np.array([cosine])).tolist() == [near]


@pytest.mark.parametrize(
    "settings", [{"sure_bits": -1}, {"likely_bits": 257}, {"sure_bits": 90, "likely_bits": 80}]
)
def test_rules_out_of_range(settings):
    with pytest.raises(ValueError, match="_bits must be"):
        NearCopyRule(**settings)
