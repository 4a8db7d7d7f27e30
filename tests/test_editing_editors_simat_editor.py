import hashlib

import numpy as np
import pytest
import torch
from fakes.index import FakeEncoder, build_index, draw, picture, small_pool
from fakes.pictures import encoded
from test_transforms_models_adaptation_heads import draw_heads

from editing.editors.simat.editor import SimatEditor
from editing.editors.simat.settings import SimatSettings
from editing.errors import EditError, SettingError
from editing.requests import Request
from indexes.layout import IndexFolderError
from transforms.models.spec import ModelError
from transforms.protocols import SourceError

IDENTITY = "fake@1"
CAPTION, PROMPT = "a red disc on the left", "a green disc on the left"


class DrawnSource:
    """The pictures of a pool by their references; `spoilt` ones are others now."""

    def __init__(self, pool, spoilt=()):
        self.known = {each.reference: each.image for each in pool}
        self.spoilt = spoilt

    def open(self, reference):
        if reference in self.spoilt:
            return encoded(draw("blue", 32, 32))
        if reference not in self.known:
            raise SourceError(f"no picture {reference}")
        return self.known[reference]


@pytest.fixture(scope="module")
def drawn():
    return small_pool()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, drawn):
    place = tmp_path_factory.mktemp("index")
    build_index(place, [drawn])
    return str(place)


def make_editor(drawn, *, spoilt=(), **more):
    return SimatEditor(
        encoder=FakeEncoder(),
        identity=IDENTITY,
        open_source=lambda about: DrawnSource(drawn, spoilt),
        **more,
    )


def find(editor, folder, *, prompt=PROMPT, caption=CAPTION, results=1, **settings):
    request = Request(
        image=draw("red", 18, 46), prompt=prompt, source_prompt=caption, results=results
    )
    chosen = SimatSettings(index=folder, **settings)
    return editor.edit([request], chosen, [torch.Generator()], lambda: None)[0]


def query(editor, folder, **settings):
    """The vector that is searched for."""
    from editing.editors.simat.pool import open_pool

    pool = open_pool(folder, identity=IDENTITY, open_source=editor.open_source, heads=editor.heads)
    image = draw("red", 18, 46)
    request = Request(image=image, prompt=PROMPT, source_prompt=CAPTION)
    embedded = editor.encoder.encode_images([image])[0]
    return editor.query(request, SimatSettings(**settings), pool, image=embedded)


def unit(vector):
    return vector / np.linalg.norm(vector)


def test_the_result_is_a_picture_of_the_index_with_its_key_and_score(drawn, folder):
    output = find(make_editor(drawn), folder)
    (edit,) = output.edits
    found = {each.key: each for each in drawn}[edit.key]
    data = np.asarray(edit.image)
    assert np.array_equal(data, np.asarray(draw(*_drawn(found.key))))
    assert -1 <= edit.score <= 1
    assert output.edit_mask is None


def _drawn(key):
    colour, x, y = key.split("-")
    return colour, int(x), int(y)


@pytest.mark.parametrize("delta", ["caption", "words", "sentences", "none"])
def test_results_are_ranked_by_the_query_and_never_the_source(drawn, folder, delta):
    editor = make_editor(drawn)
    output = find(editor, folder, results=11, delta=delta)
    scores = [edit.score for edit in output.edits]
    assert scores == sorted(scores, reverse=True)
    assert len({edit.key for edit in output.edits}) == 11
    assert "red-18-46" not in {edit.key for edit in output.edits}
    vector = query(editor, folder, delta=delta)
    images = editor.encoder.encode_images([draw(*_drawn(each.key)) for each in drawn])
    cosines = dict(zip([each.key for each in drawn], images @ vector, strict=True))
    assert scores == pytest.approx([cosines[edit.key] for edit in output.edits], abs=1e-5)


def test_the_four_queries(drawn, folder):
    editor = make_editor(drawn)
    image = editor.encoder.encode_images([draw("red", 18, 46)])[0]
    caption, prompt, red, green = editor.encoder.encode_texts([CAPTION, PROMPT, "red", "green"])
    for settings, wanted in (
        ({"delta": "caption"}, image + (prompt - caption)),
        ({"delta": "caption", "scale": 2.0}, image + 2 * (prompt - caption)),
        ({"delta": "words"}, image + 0.75 * (green - red)),
        ({"delta": "none"}, prompt),
    ):
        assert np.allclose(query(editor, folder, **settings), unit(wanted), atol=1e-5), settings


def test_sentences_are_captions_of_the_index_with_the_words(drawn, folder):
    editor = make_editor(drawn)
    image = editor.encoder.encode_images([draw("red", 18, 46)])[0]
    sides = ("left", "right")
    before = editor.encoder.encode_texts([f"a red disc on the {side}" for side in sides])
    after = editor.encoder.encode_texts([f"a green disc on the {side}" for side in sides])
    wanted = unit(image + 1.5 * (after - before).mean(0))
    assert np.allclose(query(editor, folder, delta="sentences"), wanted, atol=1e-5)
    one = unit(image + 1.5 * (after - before)[0])
    assert np.allclose(query(editor, folder, delta="sentences", sentences=1), one, atol=1e-5)


def test_words_that_no_caption_has_are_taken_by_themselves(drawn, folder):
    editor = make_editor(drawn)
    asked = {"prompt": "a small disc on the left", "caption": "a huge disc on the left"}
    keys = [
        [edit.key for edit in find(editor, folder, results=5, delta=d, scale=1.0, **asked).edits]
        for d in ("sentences", "words")
    ]
    assert keys[0] == keys[1]


def test_heads_adapt_both_sides_of_the_query(drawn, folder):
    heads = draw_heads(dimension=16, width=5, encoder=IDENTITY)
    editor = make_editor(drawn, heads=heads)
    image = heads.adapt_images(editor.encoder.encode_images([draw("red", 18, 46)]))[0]
    caption, prompt = heads.adapt_texts(editor.encoder.encode_texts([CAPTION, PROMPT]))
    wanted = unit(image + (prompt - caption))
    assert np.allclose(query(editor, folder), wanted, atol=1e-5)
    assert find(editor, folder).edits[0].key is not None


def test_heads_of_another_encoder_are_refused(drawn):
    with pytest.raises(ModelError, match="trained over the encoder clip one"):
        make_editor(drawn, heads=draw_heads())


def test_structure_keeps_things_where_they_were(drawn, folder):
    editor = make_editor(drawn)
    weighed = find(editor, folder, structure_weight=50.0, results=2)
    assert {edit.key for edit in weighed.edits} == {"green-18-46", "blue-18-46"}


def test_an_edit_is_explained_by_the_nearest_pictures(drawn, folder):
    output = find(make_editor(drawn), folder)
    sheet = output.explain(output.image)
    assert sheet.width > 6 * 128


@pytest.mark.parametrize("prompt", [CAPTION, f"  {CAPTION} "])
def test_words_that_ask_for_no_change_are_refused(drawn, folder, prompt):
    with pytest.raises(EditError, match="prompt must differ from what the picture shows"):
        find(make_editor(drawn), folder, prompt=prompt)


def test_without_an_index_it_says_what_is_missing(drawn):
    with pytest.raises(SettingError, match="simat needs --index"):
        find(make_editor(drawn), None)


def test_an_index_of_another_encoder_is_refused(drawn, folder):
    editor = SimatEditor(encoder=FakeEncoder(), identity="other", open_source=lambda _: None)
    with pytest.raises(IndexFolderError, match="was made with the encoder fake@1, not other"):
        find(editor, folder)


def test_without_what_opens_sources_it_says_so(folder):
    editor = SimatEditor(encoder=FakeEncoder(), identity=IDENTITY, open_source=None)
    with pytest.raises(SettingError, match=r"needs open_source=pairloom\.open_source"):
        find(editor, folder)


def test_a_picture_that_is_gone_or_changed_is_one_line(drawn, folder):
    with pytest.raises(EditError, match="cannot be had: no picture memory:"):
        find(make_editor([]), folder)
    everything = [each.reference for each in drawn]
    with pytest.raises(EditError, match="is not the one that the index has seen"):
        find(make_editor(drawn, spoilt=everything), folder)


def test_an_index_of_copies_has_no_result(tmp_path):
    copy = picture("copy", draw("red", 18, 46), CAPTION)
    assert copy.content_sha256 == hashlib.sha256(copy.image).hexdigest()
    build_index(tmp_path, [[copy]])
    with pytest.raises(EditError, match="no picture but the source itself"):
        find(make_editor([copy]), str(tmp_path))


@pytest.mark.parametrize(
    "settings",
    [
        {"scale": -1.0},
        {"structure_weight": -0.5},
        {"structure_depth": 0},
        {"sentences": 0},
        {"near_copy": 0.0},
    ],
)
def test_wrong_settings_are_refused_by_name(settings):
    name = next(iter(settings)).replace("scale", "lambda")
    with pytest.raises(ValueError, match=f"{name} must be"):
        SimatSettings(**settings)
