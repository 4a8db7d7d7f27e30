import numpy as np
import pytest
from fakes.index import FakeEncoder, draw, picture

from transforms.record import Batch
from transforms.scores import as_vector
from transforms.take_embeddings import (
    OtherEncoderError,
    refuse_other_encoder,
    take_embeddings_batch,
)


class Stored:
    """Embeddings by key."""

    def __init__(self, vectors):
        self.names, self.vectors = list(vectors), list(vectors.values())

    def find(self, names):
        rows = [row for row, name in enumerate(self.names) if name in names]
        return rows[0] if rows else None

    def embedding(self, row):
        return self.vectors[row]


def pictures(count=4):
    colours = ["red", "green", "blue", (90, 200, 10)]
    return [picture(f"p{n}", draw(colours[n], 20 + 5 * n, 30)) for n in range(count)]


def encoded(records):
    from transforms.pictures.decoding import decode_kept

    vectors = FakeEncoder().encode_images([decode_kept(each.image) for each in records])
    return {each.key: vector for each, vector in zip(records, vectors, strict=True)}


def test_pictures_get_what_is_stored_and_a_structure_map():
    records = pictures()
    vectors = encoded(records)
    stored = Stored({"p2": vectors["p2"], "p0": vectors["p0"], "p1": None})
    batch = take_embeddings_batch(Batch("s0", 3, tuple(records)), stored)
    assert (batch.shard, batch.number) == ("s0", 3)
    assert [each.source.key for each in batch.records] == ["p0", "p2"]
    for each in batch.records:
        np.testing.assert_array_equal(as_vector(each.embedding), vectors[each.source.key])
        assert len(each.structure) == 256
    assert [(each.key, each.reason) for each in batch.rejects] == [
        ("p1", "no_embedding"),
        ("p3", "no_embedding"),
    ]
    assert "zero or not finite" in batch.rejects[0].detail


def test_the_encoder_that_made_them_is_accepted_and_halves_are_too():
    records = pictures()
    halves = {key: vector.astype(np.float16) for key, vector in encoded(records).items()}
    stored = Stored({key: each.astype(np.float32) for key, each in halves.items()})
    refuse_other_encoder(records, stored, FakeEncoder(), where="here")


def test_another_encoder_is_told_by_what_it_makes():
    records = pictures()
    rng = np.random.default_rng(7)
    others = {each.key: rng.normal(size=16).astype(np.float32) for each in records}
    with pytest.raises(
        OtherEncoderError, match=r"here has embeddings of another encoder .* cosines"
    ):
        refuse_other_encoder(records, Stored(others), FakeEncoder(), where="here")
    longer = {each.key: rng.normal(size=32).astype(np.float32) for each in records}
    with pytest.raises(OtherEncoderError, match=r"dimension 32, the preset's encoder makes 16"):
        refuse_other_encoder(records, Stored(longer), FakeEncoder(), where="here")
    with pytest.raises(OtherEncoderError, match="of none of 4 pictures"):
        refuse_other_encoder(records, Stored({}), FakeEncoder(), where="here")
