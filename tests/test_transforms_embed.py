import dataclasses

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.testing.util import assert_that, equal_to
from fakes.index import FakeEncoder, build_index, draw, picture, query

from transforms.embed import EmbedImages, EmbedQueries, embed_images_batch, embed_queries_batch
from transforms.pictures.structure import structure_map
from transforms.protocols import SourceError
from transforms.record import Batch, reject_source
from transforms.scores import as_vector


class OnlyReadable(FakeEncoder):
    """Cannot take blue pictures or the word `unspeakable`."""

    def encode_images(self, images):
        if any(image.getpixel((20, 20))[2] > 200 > image.getpixel((20, 20))[0] for image in images):
            raise ValueError("too blue")
        return super().encode_images(images)

    def encode_texts(self, texts):
        if any("unspeakable" in text for text in texts):
            raise ValueError("unspeakable")
        return super().encode_texts(texts)


def batch(*records, rejects=()):
    return Batch("s0", 3, tuple(records), tuple(rejects))


@pytest.fixture
def red():
    return picture("red", draw("red", 20, 20), "a red disc")


def test_pictures_get_embedding_and_structure(red):
    earlier = reject_source(red, stage="read", reason="not_an_image")
    result = embed_images_batch(batch(red, rejects=[earlier]), FakeEncoder())
    assert (result.shard, result.number, result.rejects) == ("s0", 3, (earlier,))
    (record,) = result.records
    assert record.source == red
    assert np.linalg.norm(as_vector(record.embedding)) == pytest.approx(1)
    assert record.structure == structure_map(draw("red", 20, 20))


def test_bad_pictures_become_rejects_and_their_neighbours_go_on(red):
    broken = picture("broken", b"not a picture", "a red disc")
    blue = picture("blue", draw("blue", 20, 20), "a blue disc")
    bare = dataclasses.replace(red, key="bare", image=None)
    result = embed_images_batch(batch(broken, red, blue, bare), OnlyReadable())
    assert [record.source.key for record in result.records] == ["red"]
    reasons = {reject.key: (reject.stage, reject.reason) for reject in result.rejects}
    assert reasons == {
        "broken": ("embed", "not_an_image"),
        "blue": ("embed", "model_failed"),
        "bare": ("embed", "picture_gone"),
    }


def test_pictures_without_bytes_are_fetched(red):
    bare = dataclasses.replace(red, image=None)

    def open_picture(reference):
        if reference != "memory:red":
            raise SourceError(f"{reference} is gone")
        return red.image

    gone = dataclasses.replace(bare, key="gone", reference="memory:gone")
    result = embed_images_batch(batch(bare, gone), FakeEncoder(), open_picture=open_picture)
    assert [record.source.key for record in result.records] == ["red"]
    (reject,) = result.rejects
    assert (reject.reason, reject.detail) == ("picture_gone", "memory:gone is gone")


def test_known_pictures_are_looked_up_and_changed_ones_are_not(tmp_path, red, pool):
    index = build_index(tmp_path, [pool])
    changed = picture(pool[1].key, draw("blue", 5, 5))
    encoder = FakeEncoder()
    result = embed_images_batch(batch(pool[0], changed, red), encoder, known=index)
    assert encoder.pictures_seen == 2
    fresh = embed_images_batch(batch(pool[0]), FakeEncoder())
    assert result.records[0] == fresh.records[0]
    assert result.records[1].embedding != index.embedding(1).tobytes()


def test_queries_of_one_picture_share_its_embedding(red):
    first = query(red, "a green disc")
    second = query(red, "a blue disc", target_word="blue", number=1)
    encoder = FakeEncoder()
    result = embed_queries_batch(batch(first, second), encoder)
    assert encoder.pictures_seen == 1
    assert encoder.texts_seen == 3
    expected = FakeEncoder().encode_texts(["a red disc", "a green disc", "a blue disc"])
    one, two = result.records
    assert one.source_embedding == two.source_embedding != b""
    assert one.source_structure == structure_map(draw("red", 20, 20))
    assert np.allclose(as_vector(one.caption_embedding), expected[0])
    assert np.allclose(as_vector(one.edit_embedding), expected[1])
    assert np.allclose(as_vector(two.edit_embedding), expected[2])


def test_queries_fail_one_by_one(red):
    broken = picture("broken", b"", "a red disc")
    queries = (
        query(broken, "a green disc"),
        query(broken, "a blue disc", number=1),
        query(red, "an unspeakable disc"),
        query(red, "a green disc", number=1),
    )
    result = embed_queries_batch(batch(*queries), OnlyReadable())
    assert [record.key for record in result.records] == ["red-1"]
    found = [(reject.key, reject.number, reject.reason) for reject in result.rejects]
    assert found == [
        ("broken", 0, "empty_file"),
        ("broken", 1, "empty_file"),
        ("red", 0, "model_failed"),
    ]
    assert result.rejects[2].edit_prompt == "an unspeakable disc"


def test_an_empty_batch_stays_empty():
    assert embed_images_batch(batch(), FakeEncoder()).records == ()
    assert embed_queries_batch(batch(), FakeEncoder()).records == ()


def test_the_stages_are_their_functions(tmp_path, red, pool):
    index = build_index(tmp_path, [pool])
    images = batch(red, pool[3], picture("broken", b"no"))
    queries = batch(query(red, "a green disc"), query(pool[2], "a green disc"))
    with beam.Pipeline("FnApiRunner") as pipeline:
        embedded = (
            pipeline | "Images" >> beam.Create([images]) | EmbedImages(FakeEncoder, known=index)
        )
        asked = (
            pipeline | "Queries" >> beam.Create([queries]) | EmbedQueries(FakeEncoder, known=index)
        )
        assert_that(
            embedded, equal_to([embed_images_batch(images, FakeEncoder(), known=index)]), "images"
        )
        assert_that(
            asked, equal_to([embed_queries_batch(queries, FakeEncoder(), known=index)]), "queries"
        )
