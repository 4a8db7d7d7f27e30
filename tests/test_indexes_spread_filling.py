"""A search index filled piece by piece is the one that is built at once, and so is any of it."""

import pickle

import numpy as np
import pytest
from fakes.index import unit_vectors

from indexes.faiss_building import VectorParts, build_index
from indexes.faiss_index import FaissIndex
from indexes.fence import FencedError, take_turn
from indexes.index_choice import IndexChoice
from indexes.layout import IndexFolderError, Part
from indexes.sharded import ShardedIndex
from indexes.spread_filling import (
    cut_pieces,
    fill_piece,
    merge_filling,
    plan_filling,
    remove_fillings,
    train_once,
)
from indexes.storage.paths import as_path
from indexes.whole_parts import WholeParts

CODES = ["Flat", "SQfp16", "SQ8", "PQ8"]
SIZES = (900, 0, 500, 1, 1100, 499, 0)


def write_vectors(folder, sizes=SIZES, seed=0):
    """Embeddings of parts of `sizes`; gives what is known of them and the vectors."""
    vectors = unit_vectors(sum(sizes), seed=seed)
    start = 0
    for number, size in enumerate(sizes):
        path = Part(number, len(sizes)).embedding_path(folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = vectors[start : start + size] if size else np.empty((0, 1), np.float32)
        np.save(path, part)
        start += size
    return WholeParts(np.array(sizes), 16, {}), vectors


def plan(folder, whole, name="Flat", **more):
    settings = {"seed": 0, "memory_gib": 16.0, "piece_bytes": 40_000} | more
    return plan_filling(folder, whole, IndexChoice(f"IVF16,{name}", "nprobe=5"), **settings)


def filled(folder, whole, name="Flat", **more):
    filling = plan(folder, whole, name, **more)
    train_once(filling)
    for span in reversed(filling.spans):
        fill_piece(pickle.loads(pickle.dumps(filling)), span)
    return filling


@pytest.mark.parametrize("name", CODES)
def test_merged_pieces_are_the_index_that_is_built_at_once(tmp_path, name):
    whole, vectors = write_vectors(tmp_path)
    filling = filled(tmp_path, whole, name, piece_bytes=8_000)
    assert len(filling.spans) >= 3
    merge_filling(filling, tmp_path / "merged")
    choice = IndexChoice(f"IVF16,{name}", "nprobe=5")
    build_index(VectorParts.of([vectors]), choice, path=tmp_path / "alone")
    assert (tmp_path / "merged").read_bytes() == (tmp_path / "alone").read_bytes()


@pytest.mark.parametrize("name", CODES)
def test_searching_the_pieces_is_searching_the_merged_index(tmp_path, name):
    whole, vectors = write_vectors(tmp_path)
    filling = filled(tmp_path, whole, name, piece_bytes=8_000)
    merge_filling(filling, tmp_path / "merged")
    queries = unit_vectors(50, seed=3)
    merged = FaissIndex(tmp_path / "merged", parameters="nprobe=5")
    pieces = [FaissIndex(filling.piece_path(each), parameters="nprobe=5") for each in filling.spans]
    together = ShardedIndex(pieces, numbered_over_all=True)
    assert len(together) == len(merged) == len(vectors)
    scores, rows = together.search(queries, 12)
    merged_scores, merged_rows = merged.search(queries, 12)
    assert (scores == merged_scores).all()
    differing = rows != merged_rows  # equal scores may be told in another order
    assert all(len(set(line)) < 12 for line in scores[differing.any(axis=1)].tolist())
    assert differing.mean() < 0.02


def test_pieces_are_whole_parts_in_order():
    pictures = np.array(SIZES)
    for rows in (1, 500, 901, 5000):
        spans = cut_pieces(pictures, rows)
        assert [span.number for span in spans] == list(range(len(spans)))
        assert [span.start for span in spans] == np.cumsum([0, *(s.rows for s in spans)])[
            :-1
        ].tolist()
        assert all(span.rows == pictures[span.first : span.stop].sum() for span in spans)
        assert all(span.rows >= rows for span in spans[:-1])
        assert sum(span.rows for span in spans) == pictures.sum()
    assert cut_pieces(np.array([0, 0]), 5) == []


def test_what_is_whole_is_gone_on_with(tmp_path):
    whole, _ = write_vectors(tmp_path)
    filling = filled(tmp_path, whole)
    before = {path: path.stat().st_mtime_ns for path in filling.place.glob("*.index")}
    assert len(before) == 1 + len(filling.spans)
    filling.piece_path(filling.spans[1]).unlink()
    again = filled(tmp_path, whole)
    assert again == filling
    after = {path: path.stat().st_mtime_ns for path in filling.place.glob("*.index")}
    assert before.keys() == after.keys()
    changed = [path for path, time in after.items() if before[path] != time]
    assert changed == [filling.piece_path(filling.spans[1])]


def test_pieces_of_other_vectors_or_settings_are_none_of_it(tmp_path):
    whole, _ = write_vectors(tmp_path)
    first = filled(tmp_path, whole)
    assert plan(tmp_path, whole) == first
    assert first.trained_path.exists()
    others = [plan(tmp_path, whole, seed=1), plan(tmp_path, whole, "SQfp16")]
    assert not first.trained_path.exists()
    np.save(Part(0, len(SIZES)).embedding_path(tmp_path), unit_vectors(900, seed=9))
    others.append(plan(tmp_path, whole))
    assert len({first.mark, *(each.mark for each in others)}) == 4
    assert [path.name for path in first.place.parent.iterdir()] == [others[-1].place.name]
    remove_fillings(tmp_path)
    assert list(first.place.parent.iterdir()) == []


def test_a_piece_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    whole, _ = write_vectors(tmp_path)
    filling = plan(tmp_path, whole)
    train_once(filling)

    def full(*args, **more):
        args[0].write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("indexes.spread_filling.write_piece", full)
    with pytest.raises(IndexFolderError, match="No space left on device"):
        fill_piece(filling, filling.spans[0])
    assert sorted(path.name for path in filling.place.iterdir()) == [
        "pictures.npy",
        "trained.index",
    ]
    assert not filling.is_filled(filling.spans[0])


def test_a_run_that_is_over_writes_nothing(tmp_path):
    whole, _ = write_vectors(tmp_path)
    filling = plan(tmp_path, whole)
    lost = take_turn(tmp_path)
    ours = take_turn(tmp_path)
    with pytest.raises(FencedError):
        train_once(filling, fence=lost)
    train_once(filling, fence=ours)
    with pytest.raises(FencedError):
        fill_piece(filling, filling.spans[0], fence=lost)
    assert not filling.is_filled(filling.spans[0])
    fill_piece(filling, filling.spans[0], fence=ours)
    assert filling.is_filled(filling.spans[0])


def test_little_is_not_shared_out_and_nor_are_kinds_that_pieces_cannot_have(tmp_path):
    whole, _ = write_vectors(tmp_path)
    assert plan(tmp_path, whole, piece_bytes=1 << 30) is None
    settings = {"seed": 0, "memory_gib": 16.0, "piece_bytes": 64}
    for key in ("Flat", "IVF16_HNSW32,Flat"):
        assert plan_filling(tmp_path, whole, IndexChoice(key, ""), **settings) is None
    assert not (tmp_path / ".pairloom").exists()


def test_a_missing_or_short_piece_is_an_error(tmp_path):
    whole, _ = write_vectors(tmp_path)
    filling = filled(tmp_path, whole)
    piece = filling.piece_path(filling.spans[0])
    data = piece.read_bytes()
    piece.write_bytes(data[:-5])
    with pytest.raises(IndexFolderError, match="cut short"):
        merge_filling(filling, tmp_path / "merged")
    piece.unlink()
    with pytest.raises(FileNotFoundError):
        merge_filling(filling, tmp_path / "merged")


def test_pieces_of_an_index_on_a_store_lie_there(tmp_path):
    whole, vectors = write_vectors(tmp_path / "here")
    folder = as_path("memory://spread-filling/index")
    for path in (tmp_path / "here" / "img_emb").iterdir():
        (folder / "img_emb" / path.name).upload(path)
    filling = filled(folder, whole)
    assert filled(folder, whole) == filling
    assert all(filling.is_filled(span) for span in filling.spans)
    merge_filling(filling, tmp_path / "merged")
    choice = IndexChoice("IVF16,Flat", "nprobe=5")
    build_index(VectorParts.of([vectors]), choice, path=tmp_path / "alone")
    assert (tmp_path / "merged").read_bytes() == (tmp_path / "alone").read_bytes()
    remove_fillings(folder)
    assert not filling.trained_path.exists()
    assert not filling.is_filled(filling.spans[0])
