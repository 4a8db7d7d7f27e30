"""What is said of masks that mark nothing, or everything."""

import pytest
from fakes.editors import DrawingEditor, drawing_spec, half_mask, seeded
from fakes.pictures import noise
from PIL import Image

from editing.loading import LoadedEditor
from editing.remarks import in_words, remark_on_mask
from editing.requests import Request
from editing.settings import NoSettings


@pytest.mark.parametrize(
    ("mask", "names"),
    [
        (None, []),
        (half_mask((8, 8)), []),
        (Image.new("L", (8, 8)), ["empty_mask"]),
        (Image.new("L", (8, 8), 127), ["empty_mask"]),
        (Image.new("L", (8, 8), 128), ["whole_mask"]),
    ],
)
def test_only_an_empty_or_a_whole_mask_is_remarked_on(mask, names):
    assert [remark.name for remark in remark_on_mask(mask)] == names


@pytest.mark.parametrize("grey", [0, 255])
def test_every_editor_s_masks_are_looked_at_found_ones_too(grey):
    class Finder:
        def find(self, requests, generators):
            return [Image.new("L", request.image.size, grey) for request in requests]

    loaded = LoadedEditor(drawing_spec(), DrawingEditor(), Finder())
    request = Request(image=noise(1), prompt="a pear")
    (output,) = loaded.edit([request], NoSettings(), [seeded()])
    (remark,) = output.remarks
    assert remark.name == ("whole_mask" if grey else "empty_mask")
    assert "mask" in in_words(remark.name)
