"""The commands with the editor of learned regions, on small random networks."""

import json

import numpy as np
import pytest
from fakes.accelerator import forget_accelerator
from fakes.command_line import run
from fakes.folders import rows_of
from fakes.pictures import picture_bytes, pixels
from PIL import Image

EDITOR = ("--editor", "learned-regions")
FEW = ("--anchors", 2, "--sizes", 2, "--steps", 2)
TRAINING = ("--anchors", 2, "--sizes", 2, "--num-inference-steps", 1, "--learning-rate", 0.01)


@pytest.fixture(autouse=True)
def fresh_accelerate():
    forget_accelerator()
    yield
    forget_accelerator()


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    path.write_bytes(picture_bytes(1, size=(48, 32)))
    return path


def command(world, name, *words):
    return run(name, *words, "--preset", world / "tiny.yaml", "--json")


def edit(world, photo, out, *more, settings=FEW, words=("--source-prompt", "a red apple")):
    flags = (*EDITOR, "--prompt", "a red pear", "--out", out, *settings, *words)
    return command(world, "edit", photo, *flags, *more)


class TestEdit:
    def test_a_box_is_found_and_the_rest_stays(self, editing_world, photo, tmp_path):
        written = {name: tmp_path / f"{name}.png" for name in ("out", "mask", "explain")}
        more = ("--mask-out", written["mask"], "--explain", written["explain"])
        outcome = edit(editing_world, photo, written["out"], *more)
        assert outcome.code == 0, outcome.err
        assert f"explained: {written['explain']}" in outcome.out
        mask = pixels(written["mask"])[..., 0] > 127
        changed = (pixels(written["out"]) != pixels(photo)).any(2)
        assert changed.any()
        assert not changed[~mask].any()
        rows, columns = np.nonzero(mask)
        assert mask.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        with Image.open(written["explain"]) as sheet:
            assert sheet.width > 600

    def test_a_box_by_hand(self, editing_world, photo, tmp_path):
        out = tmp_path / "out.png"
        assert edit(editing_world, photo, out, "--box", "4,2,20,30", words=()).code == 0
        changed = (pixels(out) != pixels(photo)).any(2)
        assert changed[2:30, 4:20].any()
        changed[2:30, 4:20] = False
        assert not changed.any()

    def test_a_network_chooses_the_box_for_one_edit(self, editing_world, photo, tmp_path):
        out = tmp_path / "out.png"
        outcome = edit(editing_world, photo, out, "--regions", "learned")
        assert outcome.code == 0, outcome.err
        again = edit(editing_world, photo, tmp_path / "again.png", "--regions", "learned")
        assert again.code == 0
        assert np.array_equal(pixels(out), pixels(tmp_path / "again.png"))

    def test_without_words_the_captioner_says_what_is_there(self, editing_world, photo, tmp_path):
        assert edit(editing_world, photo, tmp_path / "out.png", words=()).code == 0

    def test_what_other_editors_cannot_tell_is_a_note(self, editing_world, photo, tmp_path):
        flags = ("--editor", "copy", "--prompt", "a", "--out", tmp_path / "out.png")
        outcome = command(
            editing_world, "edit", photo, *flags, "--explain", tmp_path / "explain.png"
        )
        assert outcome.code == 0
        assert "copy has nothing to tell" in outcome.err
        assert not (tmp_path / "explain.png").exists()

    @pytest.mark.parametrize(
        ("flags", "message"),
        [
            (("--anchors", 0), "anchors must be at least 1, got 0"),
            (("--anchors", 65), "anchors must be in [1, 24]"),
            (("--sizes", 0), "sizes must be at least 1, got 0"),
            (("--backend", "magic"), "backend must be one of inpaint, sdedit, masked-token"),
            (("--backend", "masked-token"), "preset tiny names no masked_token model"),
            (("--weight-clip", "nan"), "weight_clip must be a finite number, got nan"),
            (("--strength", 1.5), "strength must be in (0, 1], got 1.5"),
            (("--steps", 100_000), "num_inference_steps must be at most"),
            (("--source-prompt", "a red pear"), "a mask needs edit_mask, mask_phrase"),
            (("--regions", "segmenter", "--model", "run"), "needs --regions learned"),
            (("--box", "0,0,49,32"), "within its 48 x 32 pixels, got '0,0,49,32'"),
            (("--box=-1,0,9,9",), "--box must hold something of the picture"),
            (("--box", "9,9,9,20"), "--box must hold something of the picture"),
            (("--box", "20,9,9,20"), "--box must hold something of the picture"),
            (("--box", "1,2,3"), "--box must be LEFT,TOP,RIGHT,BOTTOM in whole pixels"),
            (("--box", "a,b,c,d"), "--box must be LEFT,TOP,RIGHT,BOTTOM in whole pixels"),
            (("--box", "0,0,9,9", "--mask", "auto"), "--box leaves nothing to --mask auto"),
            (("--box", "0,0,9,9", "--regions", "learned"), "--box leaves nothing to --regions"),
            (("--explain", "explain.jpg"), "--explain must be a .png file"),
        ],
    )
    def test_bad_input_is_one_line(self, editing_world, photo, tmp_path, flags, message):
        outcome = edit(editing_world, photo, tmp_path / "out.png", *flags)
        assert outcome.code != 0
        assert message in outcome.error
        assert not (tmp_path / "out.png").exists()


class TestTrain:
    def test_a_run_is_what_edits_take_as_their_model(self, editing_world, photo, tmp_path):
        run_folder = tmp_path / "run"
        loop = ("--steps", 2, "--batch-size", 2, "--checkpoint-every", 1)
        words = (editing_world / "pairs", *EDITOR, "--out", run_folder, *loop, *TRAINING)
        outcome = command(editing_world, "train", *words)
        assert outcome.code == 0, outcome.err
        config = json.loads((run_folder / "region_net" / "config.json").read_text())
        assert config["model_type"] == "region_net"
        assert len((run_folder / "kept" / "0" / "worth.jsonl").read_text().splitlines()) == 4
        out = tmp_path / "out.png"
        outcome = edit(editing_world, photo, out, "--model", run_folder)
        assert outcome.code == 0, outcome.err
        assert (pixels(out) != pixels(photo)).any()


class TestDataSets:
    def test_every_pair_is_edited(self, editing_world, tmp_path):
        out = tmp_path / "edits"
        words = (editing_world / "pairs", *EDITOR, "--out", out, *FEW)
        outcome = command(editing_world, "edit-images", *words)
        assert outcome.code == 0, outcome.err
        assert len(rows_of(out, "edits")) == len(rows_of(editing_world / "pairs", "pairs"))

    def test_what_paints_is_recorded(self, editing_world, tmp_path):
        out = tmp_path / "edits"
        words = (editing_world / "pairs", *EDITOR, "--out", out, *FEW)
        command(editing_world, "edit-images", *words, "--regions", "learned")
        models = json.loads((out / "edits.json").read_text())["models"]
        assert set(models) == {"backbone", "encoder", "inpainting", "region_net"}

    def test_it_is_measured_like_any_other(self, editing_world, tmp_path):
        names = ("--editors", "sdedit", "learned-regions", "--strengths", 0.5)
        flags = ("--edits", 2, "--features", "clip", "--out", tmp_path / "evaluation")
        outcome = command(editing_world, "evaluate", editing_world / "pairs", *names, *flags, *FEW)
        assert outcome.code == 0, outcome.err
        assert (tmp_path / "evaluation" / "cells").is_dir() or outcome.counts
