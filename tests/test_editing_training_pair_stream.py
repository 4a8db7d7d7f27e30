"""Pairs are streamed in an order of the seed alone, whoever reads them and from wherever."""

import io

import numpy as np
import pytest
import torch
from fakes.pairs import PROMPTS, SIDE, drawn_row, write_pairs
from PIL import Image

from editing.training.alignment import align_target
from editing.training.pair_settings import PairSettings
from editing.training.pair_stream import PairsError, PairStream
from transforms.dataset.manifest import load_manifest
from transforms.dataset.tables import DatasetError

TOTAL = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    write_pairs(folder, row_group=2)
    return folder


def stream(folder, *, size=SIDE, batch_size=4, seed=3, **settings):
    manifest, settings = load_manifest(folder), PairSettings(**settings)
    return PairStream(folder, manifest, settings, size=size, batch_size=batch_size, seed=seed)


def take(batches, count):
    return [next(batches) for _ in range(count)]


def equal(one, other):
    tensors = ("source", "target", "source_mask", "target_mask", "quality")
    return one.edit_prompts == other.edit_prompts and all(
        torch.equal(getattr(one, name), getattr(other, name)) for name in tensors
    )


def test_an_epoch_has_every_pair_once_and_the_next_another_order(folder):
    pairs = stream(folder)
    assert pairs.pairs == TOTAL
    first, second = pairs.keys(0, TOTAL), pairs.keys(TOTAL, TOTAL)
    assert len(set(first)) == TOTAL
    assert set(first) == set(second)
    assert first != second
    assert first != sorted(first)


def test_the_order_is_the_seed_s(folder):
    assert stream(folder).keys(0, 40) == stream(folder).keys(0, 40)
    assert stream(folder).keys(0, TOTAL) != stream(folder, seed=4).keys(0, TOTAL)


@pytest.mark.parametrize("first", [1, 3, 4, 9])
def test_going_on_in_the_middle_reads_what_would_have_come(folder, first):
    whole = take(stream(folder).batches(), 12)
    rest = take(stream(folder).batches(first_step=first), 12 - first)
    assert all(equal(a, b) for a, b in zip(whole[first:], rest, strict=True))


def test_devices_share_a_batch(folder):
    whole = take(stream(folder).batches(), 5)
    parts = [take(stream(folder).batches(rank=rank, of=2), 5) for rank in range(2)]
    for batch, first, second in zip(whole, *parts, strict=True):
        assert batch.edit_prompts == first.edit_prompts + second.edit_prompts
        assert torch.equal(batch.source, torch.cat([first.source, second.source]))
    with pytest.raises(ValueError, match="batch_size must be a multiple of 3 devices, got 4"):
        next(stream(folder).batches(of=3))


def test_a_batch_holds_the_row_s_pictures_masks_and_words(folder):
    pairs = stream(folder, batch_size=1)
    for key, batch in zip(pairs.keys(0, 4), take(pairs.batches(), 4), strict=True):
        number = int(key.rsplit("-", 2)[1])
        row = drawn_row(number, "")
        for name, column in (("source", "input_image"), ("target", "edited_image")):
            pixels = np.asarray(Image.open(io.BytesIO(row[column]["bytes"])))
            expected = torch.from_numpy(pixels.copy()).permute(2, 0, 1) / 127.5 - 1
            torch.testing.assert_close(getattr(batch, name)[0], expected)
        for name in ("source_mask", "target_mask"):
            pixels = np.asarray(Image.open(io.BytesIO(row[name]["bytes"])))
            expected = torch.from_numpy(pixels > 0).float()
            assert torch.equal(getattr(batch, name)[0, 0], expected)
        assert batch.edit_prompts == (PROMPTS[number % 3],)
        assert batch.target_phrases == (PROMPTS[number % 3].split()[-1],)
        assert batch.quality.tolist() == [1]


def test_captions_of_the_targets_can_stand_in_for_edit_prompts(folder):
    batch = next(stream(folder, prompts="target").batches())
    assert all(prompt.endswith(" bus") for prompt in batch.edit_prompts)


def test_quality_is_a_score_over_its_mean(folder):
    batches = take(stream(folder, quality="directional").batches(), TOTAL // 4)
    found = torch.cat([batch.quality for batch in batches])
    assert sorted(found.tolist()) == pytest.approx(sorted([0, 1 / 1.5, 2 / 1.5, 2] * 4))
    assert found.mean().item() == pytest.approx(1)


def test_targets_are_moved_onto_their_sources_where_that_is_asked_for(folder):
    plain, aligned = (next(stream(folder, align=align).batches()) for align in (False, True))
    assert torch.equal(plain.source, aligned.source)
    assert torch.equal(plain.source_mask, aligned.source_mask)
    assert not torch.equal(plain.target, aligned.target)
    for number in range(4):
        target, mask = align_target(
            plain.target[number],
            source_mask=plain.source_mask[number],
            target_mask=plain.target_mask[number],
        )
        assert torch.equal(aligned.target[number], target)
        assert torch.equal(aligned.target_mask[number], mask)


def test_pictures_are_brought_to_the_size_that_is_trained(folder):
    batch = next(stream(folder, size=8).batches())
    assert batch.source.shape == (4, 3, 8, 8)
    assert batch.source_mask.shape == (4, 1, 8, 8)
    assert set(batch.source_mask.unique().tolist()) == {0, 1}


class TestBad:
    def test_no_pairs(self, tmp_path):
        write_pairs(tmp_path, counts=(0, 0))
        with pytest.raises(PairsError, match="has no pairs to train on"):
            stream(tmp_path)

    def test_a_missing_shard(self, tmp_path):
        write_pairs(tmp_path)
        (tmp_path / "pairs-00000-of-00003.parquet").unlink()
        with pytest.raises(DatasetError, match=r"cannot read .*pairs-00000"):
            stream(tmp_path)

    def test_masks_that_were_not_computed(self, tmp_path):
        write_pairs(tmp_path, change=lambda row: row | {"mask_status": "not_computed"})
        with pytest.raises(DatasetError, match=r"masks must be computed.*--segment"):
            next(stream(tmp_path).batches())

    def test_a_picture_that_does_not_decode(self, tmp_path):
        spoilt = {"input_image": {"bytes": b"x", "path": None}}
        write_pairs(tmp_path, change=lambda row: row | spoilt)
        with pytest.raises(DatasetError, match=r"pair .*: input_image: "):
            next(stream(tmp_path).batches())

    def test_a_mask_that_does_not_decode(self, tmp_path):
        spoilt = {"target_mask": {"bytes": b"x", "path": None}}
        write_pairs(tmp_path, change=lambda row: row | spoilt)
        with pytest.raises(DatasetError, match="target_mask is not a mask"):
            next(stream(tmp_path).batches())

    def test_missing_scores(self, tmp_path):
        write_pairs(tmp_path, change=lambda row: row | {"score_directional": None})
        with pytest.raises(PairsError, match="score directional is missing in"):
            stream(tmp_path, quality="directional")

    def test_scores_of_nothing(self, tmp_path):
        write_pairs(tmp_path, change=lambda row: row | {"score_directional": -1.0})
        with pytest.raises(PairsError, match="no pair has a score directional above 0"):
            stream(tmp_path, quality="directional")

    @pytest.mark.parametrize(
        ("change", "rule"),
        [
            ({"size": 0}, "size must be at least 1, got 0"),
            ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ],
    )
    def test_numbers_that_break_a_rule(self, folder, change, rule):
        with pytest.raises(ValueError, match=f"^{rule}$"):
            stream(folder, **change)
