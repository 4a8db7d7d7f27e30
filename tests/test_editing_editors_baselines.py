"""The editors that make nothing: the source as it is, and the pseudo-target in its place."""

import pytest
from fakes.editors import same_pixels, seeded
from fakes.pictures import noise as picture

from editing.editors.copy.editor import CopyEditor
from editing.editors.retrieve.editor import RetrieveEditor
from editing.errors import EditError
from editing.requests import Request
from editing.settings import NoSettings

SIZE = (20, 10)


def edit(editor, *requests):
    generators = [seeded() for _ in requests]
    return editor.edit(requests, NoSettings(), generators, lambda: None)


def test_copy_gives_the_picture_back():
    images = [picture(1, SIZE), picture(2, (8, 8))]
    outputs = edit(CopyEditor(), *(Request(image=image, prompt="a pear") for image in images))
    for image, output in zip(images, outputs, strict=True):
        assert same_pixels(output.image, image)
        assert output.edits[0].score is None


def test_retrieve_gives_the_pseudo_target_at_the_source_s_size():
    targets = [picture(3, SIZE), picture(4, (40, 20))]
    requests = [
        Request(image=picture(1, SIZE), prompt="a pear", pseudo_target_image=target)
        for target in targets
    ]
    same, smaller = edit(RetrieveEditor(), *requests)
    assert same_pixels(same.image, targets[0])
    assert smaller.image.size == SIZE


def test_retrieve_needs_a_pseudo_target():
    with pytest.raises(EditError, match="retrieve needs a pseudo_target_image"):
        edit(RetrieveEditor(), Request(image=picture(1), prompt="a pear"))
