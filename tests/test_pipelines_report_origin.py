"""What a report says of where its data set comes from."""

import dataclasses

import pytest

from pipelines.report.dataset import open_dataset
from pipelines.report.origin import SMALL_MODELS_ON_PHOTOGRAPHS, name_models, read_origin

SMALL = {"captioner": "blip package:stilllife/weights/blip sha256=1"}
FULL = {"captioner": "blip Salesforce/blip-image-captioning-base revision=2"}


@pytest.mark.parametrize(
    ("preset", "models", "still_life", "warned"),
    [
        ("stilllife", SMALL, False, True),
        ("my-own", SMALL, False, True),
        ("stilllife", SMALL, True, False),
        ("stilllife", FULL, False, False),
    ],
)
def test_photographs_seen_by_the_small_networks_are_warned_of(
    report_folder, preset, models, still_life, warned
):
    origin = dataclasses.replace(
        read_origin(open_dataset(report_folder)),
        preset=preset,
        models=tuple(name_models(models)),
        is_still_life=still_life,
    )
    assert origin.warning == (SMALL_MODELS_ON_PHOTOGRAPHS if warned else "")
