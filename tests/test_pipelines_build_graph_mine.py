"""Builds that mine: captions one phrase apart, joined, from the command to the pairs."""

import pytest
import yaml
from fakes.folders import hashes, rows_of
from fakes.pictures import noise
from fakes.presets import save_preset_file
from fakes.still_life import plan_pairs

from pipelines.build.job import run_build
from pipelines.main import main
from pipelines.running.execution import Execution

CAPTIONS = {
    "beach": ("a dog runs on a beach", "a brown animal by the sea"),
    "sofa": ("a cat sleeps on a sofa", "a cat runs on a beach"),
    "wall": ("a man in front of a wall", "a man wears a red shirt"),
    "street": ("a man wears a blue shirt", "a tall man is waiting"),
}
"""Several of each picture: what goes together are first ones of two pictures with second ones."""


@pytest.fixture(scope="module")
def mined(tiny_preset, told_index, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mined") / "pairs"
    plan = plan_pairs(tiny_preset, told_index[0], folder, method="mine")
    return folder, run_build(plan, Execution())


def test_a_mined_pairs_target_says_what_its_prompt_says(mined):
    folder, summary = mined
    pairs = rows_of(folder, "pairs")
    assert 0 < summary.counts.pairs == len(pairs)
    for row in pairs:
        assert row["target_caption"] == row["edit_prompt"] != row["caption"]
        assert row["source_key"] != row["target_key"]


def test_two_workers_mine_the_same_bytes(mined, tiny_preset, told_index, tmp_path):
    plan = plan_pairs(tiny_preset, told_index[0], tmp_path, method="mine")
    run_build(plan, Execution(workers=2, pictures_a_unit=10))
    assert hashes(tmp_path) == hashes(mined[0])


def test_all_captions_of_a_picture_are_joined(tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    lines = []
    for number, (name, captions) in enumerate(CAPTIONS.items()):
        noise(number).save(pictures / f"{name}.png")
        lines += [f"{name}.png#{at}\t{caption}\n" for at, caption in enumerate(captions)]
    (tmp_path / "captions.txt").write_text("".join(lines))
    source = tmp_path / "source.yaml"
    source.write_text(
        yaml.safe_dump({"kind": "folder", "path": "pictures", "captions": "captions.txt"})
    )
    said = ["--captions", "source", "--preset", str(save_preset_file(tmp_path / "networks"))]
    index, pairs = tmp_path / "index", tmp_path / "pairs"
    assert main(["index", str(source), "--out", str(index), *said]) == 0
    mine = ["--index", str(index), "--out", str(pairs), "--method", "mine"]
    assert main(["build", str(source), *mine, *said]) == 0
    assert {(row["caption"], row["edit_prompt"]) for row in rows_of(pairs, "pairs")} == {
        ("a dog runs on a beach", "a cat runs on a beach"),
        ("a cat runs on a beach", "a dog runs on a beach"),
        ("a man wears a red shirt", "a man wears a blue shirt"),
        ("a man wears a blue shirt", "a man wears a red shirt"),
    }
    assert main(["verify", str(pairs)]) == 0
