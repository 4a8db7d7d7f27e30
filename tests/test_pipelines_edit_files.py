"""The files that `edit` reads and writes: refused before any work, with one line."""

import os
from pathlib import Path

import numpy as np
import pytest
from fakes.command_line import run
from fakes.pictures import picture_bytes, pixels
from PIL import Image

from pipelines.edit.files import check_outputs, read_given, read_photo, result_paths
from pipelines.terminal.console import CommandError


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(picture_bytes(1, size=(32, 32)))
    return path


def edit(world, photo, out, *more, prompt="a red pear", editor="sdedit"):
    flags = ("--preset", world / "tiny.yaml", "--editor", editor, "--out", out, "--json")
    steps = ("--steps", 2) if editor != "copy" else ()
    return run("edit", photo, "--prompt", prompt, *flags, *steps, *more)


class TestReading:
    def test_what_may_never_end_is_not_begun(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        for path, kind in ((tmp_path / "pipe", "a pipe"), (tmp_path, "a folder")):
            with pytest.raises(CommandError, match=f"must be a plain file, got {kind}"):
                read_photo(path)
        with pytest.raises(CommandError, match="/dev/zero must be a plain file, got a device"):
            read_given(Path("/dev/zero"), most=10)

    def test_what_is_too_large_is_not_read(self, photo):
        size = photo.stat().st_size
        assert len(read_given(photo, most=size)) == size
        with pytest.raises(CommandError, match=f"has {size} bytes, at most 5 are read"):
            read_given(photo, most=5)


class TestWriting:
    def test_several_results_have_their_rank(self, tmp_path):
        assert result_paths(tmp_path / "a.png", 1) == [tmp_path / "a.png"]
        names = [path.name for path in result_paths(tmp_path / "a.png", 2)]
        assert names == ["a-1.png", "a-2.png"]

    def test_nothing_that_is_read_is_written_over(self, photo, tmp_path):
        (tmp_path / "link.png").symlink_to(photo)
        for out in (photo, tmp_path / "link.png", tmp_path / "x" / ".." / "photo.png"):
            with pytest.raises(CommandError, match="must be another file than"):
                check_outputs([out], {}, read=(photo, None))

    def test_each_goes_to_a_file_of_its_own(self, photo, tmp_path):
        with pytest.raises(CommandError, match="--mask-out must be another file than"):
            check_outputs([tmp_path / "a.png"], {"--mask-out": tmp_path / "a.png"}, read=(photo,))

    def test_folders_are_there(self, photo, tmp_path):
        with pytest.raises(CommandError, match="must lie in a folder that is there"):
            check_outputs([tmp_path / "nowhere" / "a.png"], {}, read=(photo,))
        (tmp_path / "folder.png").mkdir()
        with pytest.raises(CommandError, match="must be a file, got the folder"):
            check_outputs([tmp_path / "folder.png"], {}, read=(photo,))

    def test_the_command_refuses_before_it_works(self, editing_world, photo):
        before = photo.read_bytes()
        outcome = edit(editing_world, photo, photo)
        assert (outcome.code, "must be another file" in outcome.error) == (2, True)
        assert photo.read_bytes() == before


class TestOddRequests:
    @pytest.mark.parametrize(
        ("flags", "code", "rule"),
        [
            (("--guidance-scale", "inf"), 2, "guidance_scale must be a finite number, got inf"),
            (("--guidance-scale", "1e999"), 2, "guidance_scale must be a finite number, got inf"),
            (("--strength", "nan"), 2, "strength must be a finite number, got nan"),
            (("--set", "sdedit.guidance_scale=-inf"), 2, "must be a finite number, got -inf"),
            (("--regions", "segmenter", "--mask-grow", "nan"), 2, "must be a finite number"),
            (("--results", 10**21), 2, "must be at most 10000, got 1000000000000000000000"),
            (("--seed", "-1"), 2, "must be at least 0, got -1"),
            (("--seed", 2**64), 2, f"must be at most {2**64 - 1}, got {2**64}"),
            (("--steps", 10**9), 1, "num_inference_steps must be at most 1000, got 1000000000"),
            (("--guidance-scale", "1e300"), 1, "the model gave no finite numbers; try another dty"),
            (("--mask-phrase", "a\udcffb"), 1, "mask_phrase must be text in UTF-8"),
        ],
    )
    def test_one_line_says_what_is_wrong(self, editing_world, photo, tmp_path, flags, code, rule):
        outcome = edit(editing_world, photo, tmp_path / "a.png", *flags)
        assert (outcome.code, rule in outcome.error) == (code, True), outcome.error
        assert not (tmp_path / "a.png").exists()

    def test_halves_of_characters_are_no_prompt(self, editing_world, photo, tmp_path):
        outcome = edit(editing_world, photo, tmp_path / "a.png", prompt="a \udce9 pear")
        assert outcome.error == r"prompt must be text in UTF-8, got 'a \udce9 pear'"

    def test_the_largest_seed(self, editing_world, photo, tmp_path):
        assert edit(editing_world, photo, tmp_path / "a.png", "--seed", 2**64 - 1).code == 0

    @pytest.mark.parametrize("size", [(16, 3000), (2000, 16)])
    def test_a_strip_is_edited_within_bounds(self, editing_world, tmp_path, size):
        strip = tmp_path / "strip.png"
        Image.new("RGB", size, (200, 100, 50)).save(strip)
        outcome = edit(editing_world, strip, tmp_path / "a.png")
        if "too_elongated" in outcome.err:
            assert outcome.error
            return
        assert outcome.counts["remarks"] == ["elongated"]
        assert f"{size[0]} x {size[1]} pixels are worked at as" in outcome.err
        assert pixels(tmp_path / "a.png").shape == (size[1], size[0], 3)


class TestMasks:
    def masked(self, world, photo, tmp_path, mask):
        mask.save(tmp_path / "mask.png")
        flags = ("--mask", tmp_path / "mask.png", "--paste", "--mask-out", tmp_path / "used.png")
        return edit(world, photo, tmp_path / "a.png", *flags)

    def test_the_mask_that_is_meant_is_used(self, editing_world, photo, tmp_path):
        marked = np.zeros((32, 32), np.uint8)
        marked[8:24, 4:20] = 1
        outcome = self.masked(editing_world, photo, tmp_path, Image.fromarray(marked))
        assert (outcome.code, outcome.err) == (0, "")
        used = pixels(tmp_path / "used.png")[..., 0]
        assert np.array_equal(used > 127, marked == 1)
        found = pixels(tmp_path / "a.png")
        source = pixels(photo)
        changed = (found != source).any(2)
        assert changed[marked == 1].any()
        assert not changed[marked == 0].any()

    def test_an_empty_one_is_an_error(self, editing_world, photo, tmp_path):
        outcome = self.masked(editing_world, photo, tmp_path, Image.new("L", (32, 32)))
        assert outcome.error.startswith("the mask is empty, so that nothing could change")
        assert not (tmp_path / "a.png").exists()

    def test_a_whole_one_is_said_aloud(self, editing_world, photo, tmp_path):
        outcome = self.masked(editing_world, photo, tmp_path, Image.new("L", (32, 32), 255))
        assert outcome.err == ("pairloom: note: the mask is whole: all of the picture may change\n")
        assert outcome.counts["remarks"] == ["whole_mask"]

    def test_one_that_is_too_small_is_said_aloud(self, editing_world, photo, tmp_path):
        mask = Image.new("L", (32, 32))
        mask.putpixel((3, 3), 255)
        outcome = self.masked(editing_world, photo, tmp_path, mask)
        assert outcome.counts["remarks"] == ["tiny_mask"]
        assert "marks too little to change anything at 16 x 16 pixels" in outcome.err
