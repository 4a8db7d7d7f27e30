"""Data sets of earlier schema versions: whole to verify, readable, and selected from anew."""

import pytest
from fakes import records, sealed

from pipelines.rethreshold.job import Rethreshold, rethreshold
from transforms.dataset.checks import check_folder
from transforms.dataset.manifest import load_manifest
from transforms.dataset.reader import open_pairs
from transforms.dataset.schema import LATER_COLUMNS, SCHEMA_VERSION
from transforms.select import SelectionThresholds
from transforms.words.instructions import load_writer

VERSIONS = (1, 2, 3)


@pytest.fixture(params=VERSIONS)
def version(request):
    return request.param


@pytest.fixture
def earlier(version, sealed_dataset):
    sealed.age(sealed_dataset, version)
    return sealed_dataset


def test_an_earlier_data_set_is_whole(earlier):
    assert check_folder(earlier).problems == []


def test_its_card_is_of_the_columns_it_has(version, earlier):
    for name in ("README.md", "croissant.json"):
        text = (earlier / name).read_text()
        for column, first in LATER_COLUMNS.items():
            assert (column in text) is (first <= version)


def test_an_earlier_file_in_a_new_data_set_is_a_problem(sealed_dataset):
    sealed.age(sealed_dataset, 2)

    def renew(data):
        for each in (data, *data["shards"]):
            each["schema_version"] = SCHEMA_VERSION

    sealed.seal(sealed_dataset, renew)
    assert check_folder(sealed_dataset).problems


def test_selected_from_anew_it_has_instructions(version, earlier, tmp_path):
    before = open_pairs(earlier)
    told = version >= LATER_COLUMNS["edit_instruction"]
    assert ({pair.edit_instruction for pair in before} == {None}) is not told
    parent = load_manifest(earlier)
    thresholds = SelectionThresholds(**parent.configuration["thresholds"])
    task = Rethreshold(
        earlier, tmp_path / "out", parent, thresholds, open_source=lambda spec: records.FakeSource()
    )
    manifest = rethreshold(task)
    assert manifest.schema_version == SCHEMA_VERSION
    after = open_pairs(tmp_path / "out")
    assert [pair.key for pair in after] == [pair.key for pair in before]
    writer = load_writer(parent.seed)
    for pair in after:
        assert pair.edit_instruction
        assert pair.target_word.lower() in pair.edit_instruction
    said = {row["key"]: row["edit_instruction"] for row in after.candidates.rows()}
    assert all(said[pair.key] == pair.edit_instruction for pair in after)
    assert len(said) == len(before.candidates)
    assert writer.seed == parent.seed
    assert check_folder(tmp_path / "out").problems == []
