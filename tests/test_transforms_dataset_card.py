import dataclasses

import pytest
import yaml
from fakes import records

from transforms.dataset import card
from transforms.dataset.schema import CANDIDATE_COLUMNS, PAIR_COLUMNS, REJECT_COLUMNS


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return records.build(tmp_path_factory.mktemp("card") / "pairs")


def head(text):
    return yaml.safe_load(text.split("---\n")[1])


def test_the_default_configuration_is_the_pairs_alone_as_train(manifest):
    configs = head(card.card_text(manifest))["configs"]
    assert configs[0] == {
        "config_name": "default",
        "data_files": [{"split": "train", "path": "pairs-*.parquet"}],
    }
    assert [config["config_name"] for config in configs] == ["default", "rejects", "candidates"]


def test_the_card_says_what_is_in_it(manifest):
    text = card.card_text(manifest)
    assert "| pairs | 11 |" in text
    assert "| rejected in select: too_far | 3 |" in text
    assert "- captioner: id fake-captioner, revision 1" in text
    assert "DESCRIBES" in text
    for column in (*PAIR_COLUMNS, *REJECT_COLUMNS, *CANDIDATE_COLUMNS):
        assert f"| `{column.name}` |" in text
    assert "Selected anew" not in text
    child = dataclasses.replace(manifest, parent={"configuration_hash": "0123456789abcdef"})
    assert "Selected anew from configuration `0123456789ab`." in card.card_text(child)


@pytest.mark.parametrize(
    ("pairs", "category"),
    [
        (0, "n<1K"),
        (999, "n<1K"),
        (1000, "1K<n<10K"),
        (99_999, "10K<n<100K"),
        (2_000_000, "1M<n<10M"),
        (20_000_000, "10M<n<100M"),
    ],
)
def test_size_categories_are_the_hubs(manifest, pairs, category):
    shards = [
        dataclasses.replace(shard, counts=dataclasses.replace(shard.counts, pairs=number))
        for shard, number in zip(manifest.shards, (pairs, 0), strict=True)
    ]
    sized = dataclasses.replace(manifest, shards=tuple(shards))
    assert head(card.card_text(sized))["size_categories"] == [category]


def test_croissant_gives_pictures_as_pictures(manifest):
    pairs, rejects = card.croissant_data(manifest)["recordSet"]
    fields = {field["name"]: field for field in pairs["field"]}
    assert list(fields) == [column.name for column in PAIR_COLUMNS]
    assert fields["input_image"]["dataType"] == "sc:ImageObject"
    assert fields["input_image"]["source"]["transform"] == {"jsonPath": "bytes"}
    assert fields["score_rank"]["dataType"] == "sc:Integer"
    assert fields["score_rest"]["dataType"] == "sc:Float"
    assert "transform" not in fields["key"]["source"]
    assert [field["name"] for field in rejects["field"]] == [c.name for c in REJECT_COLUMNS]


def test_both_are_functions_of_the_manifest(manifest):
    again = dataclasses.replace(manifest)
    assert card.card_text(again) == card.card_text(manifest)
    assert card.croissant_data(again) == card.croissant_data(manifest)
