"""Editors whose networks lie on a device of their own: nothing mixes, and edits are the same."""

import numpy as np
import pytest
import torch
from fakes.far_device import FAR, DeviceMismatchError, far_device
from fakes.pictures import noise
from PIL import Image

from editing.editors.learned_regions.settings import BACKENDS
from editing.layouts import Layout, Segment
from editing.loading import load_editor
from editing.regions.registry import REGIONS
from editing.registry import EDITORS

PICTURE = noise(3, (64, 64))
HALF = Image.fromarray(np.repeat(np.repeat(np.uint8([[255, 0]]), 64, 0), 32, 1))
LAYOUT = Layout((Segment("apple", HALF),))
FEW = {"anchors": 2, "sizes": 2, "views": 2, "num_inference_steps": 2}
SHORT = {"num_inference_steps": 2}
ASKED = [
    ("sdedit", None, SHORT),
    ("encode-decode", None, SHORT),
    ("diffedit", None, SHORT),
    ("sdedit", "contrast", SHORT),
    ("learned-regions", None, FEW),
    ("learned-regions", None, FEW | {"backend": "sdedit"}),
    ("learned-regions", None, FEW | {"backend": "masked-token"}),
    ("learned-regions", None, FEW | {"rule": "fit", "fit_steps": 2}),
    (
        "learned-regions",
        None,
        FEW | {"rule": "fit", "fit_steps": 2, "objective": "straight-through"},
    ),
    ("learned-regions", "learned", SHORT),
    ("learned-regions", "segmenter", SHORT),
    ("zestguide", None, SHORT),
    ("zestguide", None, SHORT | {"ways": "thesis", "paint": 0.3}),
    ("zestguide", None, SHORT | {"strength": 0.5, "paste": True, "checkpointing": True}),
    ("flexit", None, {"steps": 2, "weight_perceptual": 0.1}),
    ("flexit", None, {"steps": 1, "ways": "thesis", "views": 1, "encoders": "encoder,segmenter"}),
]


def edit(name, regions, settings, *, device):
    editor = load_editor(name, regions=regions, device=device)
    output = editor(
        PICTURE,
        "a large red apple",
        source_prompt="a large green apple",
        layout=LAYOUT if "layout" in editor.spec.needs else None,
        settings=editor.spec.settings(**settings),
    )
    return np.asarray(output.image)


class TestTheDevice:
    def test_it_refuses_what_lies_elsewhere(self):
        network = torch.nn.Linear(2, 2)
        with far_device() as far:
            network.to(far)
            with pytest.raises(DeviceMismatchError):
                network(torch.ones(1, 2))
            assert network(torch.ones(1, 2).to(far)).device == FAR

    def test_it_gives_no_numbers_unasked(self):
        with far_device() as far, pytest.raises(TypeError, match=r"\.cpu"):
            torch.ones(2).to(far).numpy()

    def test_it_computes_what_the_cpu_does(self):
        x = torch.rand(3, 4, generator=torch.Generator().manual_seed(0))
        with far_device() as far:
            there = x.to(far)
            found = ((there @ there.T)[[2, 0]] + there.new_tensor([1.0, 2.0, 3.0])).cpu()
            changed = torch.zeros(3, device=far)
            changed[1:] += torch.arange(2, device=far)
        assert torch.equal(found, (x @ x.T)[[2, 0]] + torch.tensor([1.0, 2.0, 3.0]))
        assert changed.tolist() == [0, 0, 1]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "regions", "settings"), ASKED)
def test_edits_are_the_same(name, regions, settings):
    near = edit(name, regions, settings, device=None)
    with far_device() as far:
        found = edit(name, regions, settings, device=far)
    assert np.abs(found.astype(int) - near).max() <= 1


def test_everything_that_computes_untrained_is_tried():
    # An encoder alone is tried by itself.
    computing = {
        name
        for name, spec in EDITORS.items()
        if (spec.parts or spec.settings_parts(spec.settings()))
        and spec.parts != ("encoder",)
        and not spec.needs_model
    }
    assert computing == {name for name, _, _ in ASKED}
    asked = {settings.get("backend", "inpaint") for _, _, settings in ASKED}
    assert asked == set(BACKENDS)
    assert {regions for _, regions, _ in ASKED} == {None, *REGIONS}
