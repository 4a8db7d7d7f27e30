"""Retrieve in the space of heads, and with structure weighed."""

import numpy as np
import pytest
from fakes.index import DIMENSION, build_index, draw, embedded, picture, query
from test_transforms_models_adaptation_heads import draw_heads, spec

from transforms.models.adaptation_heads import load_heads, save_heads
from transforms.record import Batch
from transforms.retrieve import Retrieve, RetrieveOptions, retrieve_batch
from transforms.scores import as_vector

EDIT_PROMPT = "a green disc on the left"
SEARCH = {"query": "delta", "candidates": "search"}


@pytest.fixture(scope="module")
def index(tmp_path_factory, pool):
    return build_index(tmp_path_factory.mktemp("index"), [pool])


@pytest.fixture(scope="module")
def asked(pool):
    return embedded(query(pool[1], EDIT_PROMPT))


def retrieve(asked, index, *, heads=None, **options):
    batch = Batch("s0", 0, (asked,))
    (record,) = retrieve_batch(batch, index, RetrieveOptions(**options), heads=heads).records
    return record.candidates


def test_heads_adapt_query_and_pictures_alike(asked, index):
    heads = draw_heads(dimension=DIMENSION, width=5)
    candidates = retrieve(asked, index, heads=heads, k=4, **SEARCH)
    image, caption, edit = (
        as_vector(data)[None]
        for data in (asked.source_embedding, asked.caption_embedding, asked.edit_embedding)
    )
    vector = heads.adapt_images(image) + heads.adapt_texts(edit) - heads.adapt_texts(caption)
    vector /= np.linalg.norm(vector)
    exact = heads.adapt_images(index.embeddings(range(len(index)))) @ vector[0]
    wanted = [row for row in np.argsort(-exact) if row != 1][:4]
    assert [each.row for each in candidates] == wanted
    assert [each.scores.retrieval for each in candidates] == pytest.approx(
        exact[wanted].tolist(), abs=1e-5
    )
    # What compares with the encoder's own texts and pictures stays as it is.
    plain = {each.row: each.scores for each in retrieve(asked, index, k=11, **SEARCH)}
    for each in candidates:
        assert each.scores.image_image == plain[each.row].image_image
        assert each.scores.text_image_target == plain[each.row].text_image_target


def test_identity_heads_change_nothing(asked, index):
    heads = draw_heads(dimension=DIMENSION, width=DIMENSION)
    for name in ("image", "text"):
        getattr(heads, f"{name}_weight")[:] = np.eye(DIMENSION)
        getattr(heads, f"{name}_bias")[:] = 0
    plain = retrieve(asked, index, k=5, **SEARCH)
    adapted = retrieve(asked, index, heads=heads, k=5, **SEARCH)
    assert [each.row for each in adapted] == [each.row for each in plain]


def test_structure_brings_forward_what_lies_where_the_source_lies(tmp_path, pool):
    moved = [picture(f"moved{x}", draw("green", x, 18), EDIT_PROMPT) for x in (40, 44, 48)]
    kept = picture("kept", draw("green", 18, 46, ground=(60, 55, 50)), EDIT_PROMPT)
    index = build_index(tmp_path, [[*moved, kept]])
    asked = embedded(query(pool[1], EDIT_PROMPT))
    options = {"query": "text", "candidates": "search", "k": 1}
    (first,) = retrieve(asked, index, **options)
    (weighed,) = retrieve(asked, index, structure_weight=5.0, **options)
    assert weighed.key == "kept" != first.key
    assert weighed.scores.retrieval <= 1
    assert weighed.scores.structure > first.scores.structure


def test_a_weight_of_0_finds_what_no_weight_finds(asked, index):
    plain = retrieve(asked, index, k=5, **SEARCH)
    weighed = retrieve(asked, index, k=5, structure_weight=0.0, **SEARCH)
    assert [each.row for each in weighed] == [each.row for each in plain]


@pytest.mark.parametrize(
    "options", [{"structure_weight": -1.0}, {"structure_weight": np.inf}, {"structure_depth": 0}]
)
def test_wrong_weights_are_refused_by_name(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be"):
        RetrieveOptions(**options)


def test_weights_are_told_where_there_are_any():
    assert RetrieveOptions().describe().keys().isdisjoint({"structure_weight", "structure_depth"})
    told = RetrieveOptions(structure_weight=0.3).describe()
    assert (told["structure_weight"], told["structure_depth"]) == (0.3, 256)


def test_the_stage_loads_heads_itself(asked, index, tmp_path):
    import apache_beam as beam
    from apache_beam.testing.util import assert_that, equal_to

    save_heads(draw_heads(dimension=DIMENSION), tmp_path)
    where, batch, options = spec(tmp_path), Batch("s0", 0, (asked,)), RetrieveOptions(k=3, **SEARCH)
    with beam.Pipeline("FnApiRunner") as pipeline:
        found = pipeline | beam.Create([batch]) | Retrieve(index, options, where)
        wanted = retrieve_batch(batch, index, options, heads=load_heads(where))
        assert_that(found, equal_to([wanted]))
