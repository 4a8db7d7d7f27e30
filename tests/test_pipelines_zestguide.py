"""The commands with `zestguide`, on small random networks: maps, masks, and what cannot be."""

import json
import os

import numpy as np
import pytest
from fakes.command_line import run
from fakes.folders import rows_of
from fakes.pictures import picture_bytes, pixels
from PIL import Image

EDITOR = ("--editor", "zestguide")
FEW = ("--steps", 2, "--layers", 1)
PROMPT = "a red apple on the green bus"
NAMED = ("--segment", "red=red apple", "--segment", "#0000ff=green bus")


def save_map(path, *colours, size=(32, 32)):
    drawn = Image.new("RGB", size)
    for place, colour in enumerate(colours):
        drawn.paste(colour, (10 * place, 0, 10 * place + 10, 20))
    drawn.save(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Pictures, a map, masks and YAML files."""
    root = tmp_path_factory.mktemp("files")
    (root / "photo.png").write_bytes(picture_bytes(1, size=(32, 32)))
    save_map(root / "map.png", "red", "blue")
    save_map(root / "wide.png", "red", "blue", size=(48, 32))
    save_map(root / "three.png", "red", "blue", "lime")
    save_map(root / "left.png", "white")
    save_map(root / "empty.png")
    segments = 'segments:\n  red: red apple\n  "#0000ff": green bus\n'
    for name, text in {
        "map": f"map: map.png\n{segments}",
        "twice": "map: map.png\nsegments:\n  red: red apple\n  red: green bus\n",
        "hash": "map: map.png\nsegments:\n  #0000ff: green bus\n",
        "more": f"map: map.png\nbackgroud: white\n{segments}",
        "list": "- map.png\n",
        "number": f"map: 3\n{segments}",
        "broken": "map: [",
        "gone": f"map: nowhere.png\n{segments}",
    }.items():
        (root / f"{name}.yaml").write_text(text)
    os.mkfifo(root / "pipe.png")
    return root


def edit(world, files, out, *words, prompt=PROMPT, editor=EDITOR, settings=FEW):
    flags = ("--prompt", prompt, "--out", out, *editor, *settings)
    preset = ("--preset", world / "tiny.yaml", "--json")
    return run("edit", files / "photo.png", *flags, *preset, *words)


class TestEdit:
    def test_a_map_by_flags_and_by_a_file_are_the_same(self, editing_world, files, tmp_path):
        flags = ("--segments", files / "map.png", *NAMED)
        outcome = edit(
            editing_world, files, tmp_path / "a.png", *flags, "--explain", tmp_path / "e.png"
        )
        assert outcome.code == 0, outcome.err
        assert outcome.counts["editor"] == "zestguide"
        assert f"explained: {tmp_path / 'e.png'}" in outcome.out
        assert pixels(tmp_path / "a.png").shape == (32, 32, 3)
        assert pixels(tmp_path / "e.png").shape[1] > 500
        outcome = edit(editing_world, files, tmp_path / "b.png", "--segments", files / "map.yaml")
        assert outcome.code == 0, outcome.err
        assert np.array_equal(pixels(tmp_path / "a.png"), pixels(tmp_path / "b.png"))
        other = ("--segments", files / "map.yaml", "--ways", "thesis", "--paint", 0.3)
        assert edit(editing_world, files, tmp_path / "c.png", *other).code == 0
        assert not np.array_equal(pixels(tmp_path / "a.png"), pixels(tmp_path / "c.png"))

    def test_masks_one_a_phrase(self, editing_world, files, tmp_path):
        words = ("--segment", f"{files / 'left.png'}=red apple", "--strength", 0.5, "--paste")
        outcome = edit(editing_world, files, tmp_path / "a.png", *words)
        assert outcome.code == 0, outcome.err
        changed = (pixels(tmp_path / "a.png") != pixels(files / "photo.png")).any(2)
        assert changed[:20, :10].any()
        assert not changed[20:].any()
        assert not changed[:, 10:].any()

    def test_the_segments_are_the_mask_where_pixels_are_put_back(
        self, editing_world, files, tmp_path
    ):
        words = ("--segments", files / "map.yaml", "--mask-out", tmp_path / "mask.png")
        outcome = edit(editing_world, files, tmp_path / "a.png", *words, "--paste")
        assert outcome.code == 0, outcome.err
        assert np.array_equal(
            pixels(tmp_path / "mask.png").any(2), pixels(files / "map.png").any(2)
        )
        (tmp_path / "mask.png").unlink()
        outcome = edit(editing_world, files, tmp_path / "a.png", *words)
        assert outcome.code == 0
        assert "zestguide used no mask" in outcome.err
        assert not (tmp_path / "mask.png").exists()

    def test_several_results(self, editing_world, files, tmp_path):
        words = ("--segments", files / "map.yaml", "--results", 2)
        outcome = edit(editing_world, files, tmp_path / "a.png", *words)
        assert outcome.code == 0, outcome.err
        assert len(outcome.counts["results"]) == 2

    @pytest.mark.parametrize(
        ("words", "line"),
        [
            ((), "--editor zestguide needs --segments MAP with --segment COLOUR=PHRASE"),
            (("--segments", "map.png"), "map.png needs --segment COLOUR=PHRASE for each of its"),
            (("--segments", "map.png", *NAMED[:2]), "200 pixels are #0000ff, which no segment nam"),
            (("--segments", "three.png", *NAMED), "200 pixels are #00ff00, which no segment names"),
            (("--segments", "left.png", *NAMED), "the map has nothing of #ff0000, the colour of '"),
            (
                ("--segments", "map.png", *NAMED[:2], "--segment", "blue=pear"),
                "'pear' is not in 'a",
            ),
            (("--segments", "map.png", *NAMED[:2], "--segment", "#f00=bus"), "ff0000 is named twi"),
            (("--segments", "map.png", "--segment", "rouge=bus"), "a colour must be a CSS name or"),
            (("--segments", "map.png", "--segment", "red"), "--segment must be COLOUR=PHRASE or F"),
            (("--segments", "map.png", "--segment", "red= "), "--segment must be COLOUR=PHRASE or"),
            (("--segments", "map.png", *NAMED, "--segment-background", "red"), "is both a segment"),
            (("--segments", "wide.png", *NAMED), "have the picture's size 32 x 32, got 48 x 32"),
            (("--segments", "nowhere.png", *NAMED), "nowhere.png"),
            (("--segments", "pipe.png", *NAMED), "must be a plain file, got a pipe"),
            (("--segments", "map.yaml", *NAMED), "map.yaml says it all: leave --segment out"),
            (("--segments", "twice.yaml"), "'red' stands there twice"),
            (("--segments", "hash.yaml"), "segments must map colours to phrases; write #rrggbb in"),
            (("--segments", "more.yaml"), "must have map and segments, may have background, and"),
            (("--segments", "list.yaml"), "must have map and segments, may have background, and"),
            (("--segments", "number.yaml"), "map must be text, got a int"),
            (("--segments", "broken.yaml"), "not readable as YAML"),
            (("--segments", "gone.yaml"), "nowhere.png"),
            (("--segment", "empty.png=bus"), "the mask is empty"),
            (("--segment", "red=bus"), "without --segments, --segment names a mask file: there is"),
            (("--segment", "wide.png=bus"), "must have the picture's size 32 x 32, got 48 x 32"),
            (("--segment-background", "red"), "--segment-background needs --segments"),
            (("--segments", "map.yaml", "--eta", "nan"), "eta must be a finite number, got nan"),
            (("--segments", "map.yaml", "--eta", -1), "eta must be at least 0, got -1.0"),
            (("--segments", "map.yaml", "--tau", 2), "tau must be in [0, 1], got 2.0"),
            (("--segments", "map.yaml", "--layers", 8), "layers must be among 1, 2, where this mo"),
            (("--segments", "map.yaml", "--strength", 0), "strength must be in (0, 1], got 0.0"),
            (
                ("--segments", "map.yaml", "--explain", "map.png"),
                "must be another file than map.pn",
            ),
        ],
    )
    def test_bad_input_is_one_line(self, editing_world, files, tmp_path, monkeypatch, words, line):
        monkeypatch.chdir(files)
        outcome = edit(editing_world, files, tmp_path / "out.png", *words)
        assert outcome.code in (1, 2)
        assert line in outcome.error
        assert "TypeError" not in outcome.error
        assert not list(tmp_path.iterdir())

    def test_other_editors_follow_no_layout(self, editing_world, files, tmp_path):
        words = ("--segments", files / "map.yaml")
        outcome = edit(
            editing_world,
            files,
            tmp_path / "a.png",
            *words,
            editor=("--editor", "copy"),
            settings=(),
        )
        assert (outcome.code, outcome.error) == (
            2,
            "--segments and --segment are for editors that follow a layout, not copy",
        )


class TestDataSets:
    def test_every_pair_asks_for_a_layout(self, editing_world, tmp_path):
        words = (*EDITOR, *FEW, "--preset", editing_world / "tiny.yaml", "--json")
        outcome = run("edit-images", editing_world / "pairs", *words, "--out", tmp_path / "made")
        assert outcome.code == 0, outcome.err
        made = rows_of(tmp_path / "made", "edits")
        assert [row["key"] for row in made] == [
            row["key"] for row in rows_of(editing_world / "pairs", "pairs")
        ]
        record = json.loads((tmp_path / "made" / "edits.json").read_text())
        assert record["settings"]["ways"] == "measured"

    def test_an_evaluation_over_its_dial(self, editing_world, tmp_path):
        words = ("--editors", "copy", "zestguide", "--strengths", 0.5, "--seeds", 0, *FEW)
        more = ("--edits", 4, "--features", "clip", "--preset", editing_world / "tiny.yaml")
        outcome = run(
            "evaluate", editing_world / "pairs", *words, *more, "--json", "--out", tmp_path / "e"
        )
        assert outcome.code == 0, outcome.err
        points = {each["editor"]: each for each in outcome.counts["points"]}
        assert points["zestguide"]["background_error"][0] > 0
        assert {name for name, each in points.items() if "layout_iou" in each} == set(points)

    def test_one_is_added_to_an_evaluation_without_layouts(self, editing_world, tmp_path):
        more = ("--edits", 4, "--features", "clip", "--preset", editing_world / "tiny.yaml")
        out = ("--json", "--out", tmp_path / "e")
        pairs = editing_world / "pairs"
        assert run("evaluate", pairs, "--editors", "copy", *more, *out).code == 0
        words = ("--editors", "copy", "zestguide", "--strengths", 0.5, "--seeds", 0, *FEW)
        outcome = run("evaluate", pairs, *words, *more, *out)
        assert outcome.code == 0, outcome.err
        points = {each["editor"]: each for each in outcome.counts["points"]}
        assert "layout_iou" in points["zestguide"]
        assert "layout_iou" not in points["copy"]
