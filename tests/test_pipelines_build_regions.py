"""Who makes the masks of pairs."""

import pickle

import numpy as np
from fakes.pictures import noise

from editing.regions.contrast import ContrastRegions
from editing.regions.contrast_settings import ContrastSettings
from editing.regions.contrast_spec import CONTRAST
from pipelines.build.regions import FoundRegions, choose_regions, describe_pair_settings
from transforms.protocols import PictureEdit

EDITS = [PictureEdit("red apple", "a red apple", "a green apple")]


def found_by(masker):
    pictures = [noise(1)]
    return masker.edit_relevance(pictures, EDITS)[0]


def test_a_description_of_pairs_has_the_numbers_behind_named_ways():
    found = describe_pair_settings(CONTRAST.name)
    assert found["threshold"] == ContrastSettings().chosen().threshold
    assert found["grow"] == 0
    assert found["contrast_reference"] == "source"


def test_masks_of_pairs_are_not_grown_as_masks_for_edits_are(editing_preset, tiny_diffusion):
    """They say what is edited; room for it is the editor's affair."""
    load = pickle.loads(pickle.dumps(choose_regions(CONTRAST.name, editing_preset)))
    found = found_by(load())
    by_hand = FoundRegions(ContrastRegions(tiny_diffusion, ContrastSettings(mask_grow=0.0)))
    grown = FoundRegions(ContrastRegions(tiny_diffusion, ContrastSettings()))
    assert np.array_equal(found, found_by(by_hand))
    assert found.sum() < found_by(grown).sum()
