"""The commands with the editor that finds its results, and with heads, on small random networks."""

import json
import shutil

import pytest
from fakes.accelerator import forget_accelerator
from fakes.command_line import (
    build_command,
    index_command,
    index_folder,
    make_collection,
    pool_folder,
    preset_file,
    run,
)
from fakes.folders import hashes, rows_of
from fakes.pictures import pixels

from indexes.folder import open_index

PROMPT = ("--prompt", "a green apple on the bus")
SHORT = ("--steps", 4, "--batch-size", 3, "--checkpoint-every", 2, "--sample-every", 2)


@pytest.fixture(autouse=True)
def fresh_accelerate():
    forget_accelerator()
    yield
    forget_accelerator()


@pytest.fixture(scope="module")
def photo():
    return pool_folder() / "good-000.png"


def edit(photo, out, *more, index=None, words=("--source-prompt", "a red apple on the bus")):
    flags = ("--editor", "simat", "--index", index or index_folder(), "--preset", preset_file())
    return run("edit", photo, *flags, *PROMPT, "--out", out, *words, "--json", *more)


def train(out, *more, index=None):
    flags = ("--editor", "simat", "--preset", preset_file(), "--json")
    return run("train", index or index_folder(), "--out", out, *flags, *SHORT, *more)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    forget_accelerator()
    out = tmp_path_factory.mktemp("run") / "run"
    outcome = train(out)
    assert outcome.code == 0, outcome.err
    return out, outcome


class TestEdit:
    def test_it_gives_the_picture_found_its_key_and_its_score(self, photo, tmp_path):
        outcome = edit(photo, tmp_path / "out.png", "--explain", tmp_path / "explain.png")
        assert outcome.code == 0, outcome.err
        [result] = outcome.counts["results"]
        assert -1 <= result["score"] <= 1
        assert result["key"] in outcome.out
        index = open_index(index_folder())
        found = pool_folder() / index.row(index.find(result["key"])).reference
        assert found != photo
        assert (pixels(tmp_path / "out.png") == pixels(found)).all()
        assert (tmp_path / "explain.png").exists()

    def test_several_results_are_the_nearest_in_order(self, photo, tmp_path):
        outcome = edit(photo, tmp_path / "out.png", "--results", 3)
        results = outcome.counts["results"]
        assert [each["file"] for each in results] == [
            str(tmp_path / f"out-{rank}.png") for rank in (1, 2, 3)
        ]
        scores = [each["score"] for each in results]
        assert scores == sorted(scores, reverse=True)
        assert len({each["key"] for each in results}) == 3

    def test_of_a_small_index_there_are_fewer(self, photo, tmp_path):
        outcome = edit(photo, tmp_path / "out.png", "--results", 9)
        assert outcome.code == 0
        assert "--results: there are only 5, got 9" in outcome.err
        assert len(outcome.counts["results"]) == 5

    def test_the_captioner_says_what_the_picture_shows(self, photo, tmp_path):
        assert edit(photo, tmp_path / "out.png", words=()).code == 0

    def test_heads_are_what_a_run_trained(self, photo, tmp_path, trained):
        outcome = edit(photo, tmp_path / "out.png", "--model", trained[0])
        assert outcome.code == 0, outcome.err

    @pytest.mark.parametrize(
        ("flags", "message"),
        [
            (("--lambda", -1), "lambda must be at least 0, got -1"),
            (("--delta", "magic"), "delta must be one of caption, words, sentences, none"),
            (("--structure-weight", "inf"), "structure_weight must be a finite number"),
            (("--model", "nowhere"), "no model at"),
            (("--index", "nowhere"), "nowhere"),
            (("--source-prompt", PROMPT[1]), "prompt must differ from what the picture shows"),
        ],
    )
    def test_bad_input_is_one_line(self, photo, tmp_path, flags, message):
        outcome = edit(photo, tmp_path / "out.png", *flags)
        assert outcome.code != 0
        assert message in outcome.error
        assert not (tmp_path / "out.png").exists()

    def test_without_an_index_it_is_asked_for(self, photo, tmp_path):
        flags = ("--editor", "simat", "--preset", preset_file(), *PROMPT, "--source-prompt", "a")
        outcome = run("edit", photo, *flags, "--out", tmp_path / "out.png")
        assert "simat needs --index" in outcome.error


class TestTrain:
    def test_a_run_leaves_heads_and_what_made_them(self, trained):
        out, outcome = trained
        assert outcome.out.splitlines()[-2] == f"editor: {out}/heads"
        assert set(outcome.counts["terms"]) == {"to_text", "to_image"}
        assert {each.name for each in (out / "heads").iterdir()} == {
            "config.json",
            "model.safetensors",
        }
        record = json.loads((out / "run.json").read_text())
        assert set(record["dataset"]) == {"index", "encoder"}
        assert "pairs" not in record
        assert record["loop"]["learning_rate"] == 1e-3
        assert record["objective"] == {"same_captions": "apart", "temperature": 0.1}
        assert (out / "COMPLETED").exists()

    def test_a_shorter_run_goes_on_to_the_same_heads(self, trained, tmp_path):
        out = tmp_path / "run"
        assert train(out, "--steps", 2).counts["steps_made"] == 2
        forget_accelerator()
        assert train(out).counts["steps_made"] == 2
        assert hashes(out / "heads") == hashes(trained[0] / "heads")

    def test_another_temperature_is_another_run(self, trained):
        outcome = train(trained[0], "--temperature", 0.5)
        assert "holds a run with other settings or data" in outcome.error

    @pytest.mark.parametrize(
        ("flags", "message"),
        [
            (("--temperature", 0), "temperature must be above 0, got 0"),
            (("--batch-size", 7), "a step needs 7 pictures with a caption, and there are 6"),
            (("--align",), "--align is a setting of pairs"),
            (("--weight-perc", 1), "--weight-perc is a setting of iedit"),
        ],
    )
    def test_bad_input_is_one_line(self, tmp_path, flags, message):
        assert message in train(tmp_path / "run", *flags).error

    def test_what_is_no_index_is_one_line(self, tmp_path):
        outcome = train(tmp_path / "run", index=pool_folder())
        assert "must be a finished index" in outcome.error
        assert not (tmp_path / "run" / "run.json").exists()


class TestBuild:
    def test_the_manifest_names_the_heads(self, trained, tmp_path):
        flags = ("--query", "delta", "--heads", trained[0], "--structure-weight", 0.3)
        outcome = build_command(pool_folder(), tmp_path / "pairs", *flags)
        assert outcome.code == 0, outcome.err
        manifest = json.loads((tmp_path / "pairs" / "manifest.json").read_text())
        assert manifest["models"]["adaptation_heads"].startswith("adaptation_heads heads sha256=")
        assert manifest["configuration"]["options"]["retrieve"]["structure_weight"] == 0.3
        assert run("verify", tmp_path / "pairs").code == 0

    def test_without_them_it_names_none(self, tmp_path):
        assert build_command(pool_folder(), tmp_path / "pairs").code == 0
        manifest = json.loads((tmp_path / "pairs" / "manifest.json").read_text())
        assert "adaptation_heads" not in manifest["models"]
        retrieve = manifest["configuration"]["options"]["retrieve"]
        assert set(retrieve) == {"query", "weight", "candidates", "k", "cap", "near_copy"}

    def test_heads_of_another_encoder_are_refused(self, trained, tmp_path):
        config = trained[0] / "heads" / "config.json"
        other = tmp_path / "heads"
        other.mkdir()
        for path in (trained[0] / "heads").iterdir():
            (other / path.name).write_bytes(path.read_bytes())
        fields = json.loads(config.read_text()) | {"encoder": "another"}
        (other / "config.json").write_text(json.dumps(fields))
        outcome = build_command(pool_folder(), tmp_path / "pairs", "--heads", other)
        assert "trained over the encoder another, not clip clip" in outcome.error

    def test_a_service_takes_neither(self, tmp_path):
        flags = ("--structure-weight", 1)
        outcome = build_command(
            pool_folder(), tmp_path / "pairs", *flags, index="http://localhost:1"
        )
        assert "need an --index that is a folder" in outcome.error


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    out = tmp_path_factory.mktemp("pairs") / "pairs"
    assert build_command(pool_folder(), out).code == 0
    return out


class TestDataSets:
    def test_every_pair_is_edited_and_the_index_is_recorded(self, pairs, tmp_path):
        flags = ("--editor", "simat", "--index", index_folder(), "--preset", preset_file())
        outcome = run("edit-images", pairs, "--out", tmp_path / "edits", *flags, "--json")
        assert outcome.code == 0, outcome.err
        assert len(rows_of(tmp_path / "edits", "edits")) == len(rows_of(pairs, "pairs"))
        record = json.loads((tmp_path / "edits" / "edits.json").read_text())
        assert set(record["reads"]) == {"index"}

    def test_another_index_in_its_place_makes_another_job(self, pairs, tmp_path):
        index = tmp_path / "index"
        assert index_command(pool_folder(), index).code == 0
        flags = ("--editor", "simat", "--index", index, "--preset", preset_file())
        words = ("edit-images", pairs, "--out", tmp_path / "edits", *flags)
        assert run(*words).code == 0
        shutil.rmtree(index)
        assert index_command(make_collection(tmp_path / "fewer", 4), index).code == 0
        assert "holds edits with other settings or data" in run(*words).error
