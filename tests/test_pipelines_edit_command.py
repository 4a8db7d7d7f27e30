"""`pairloom edit`, on small random networks."""

import numpy as np
import pytest
from fakes.command_line import run
from fakes.editing import save_world
from fakes.pictures import picture_bytes
from PIL import Image

SIDE = 32
STEPS = ("--steps", 4)


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    path.write_bytes(picture_bytes(1, size=(SIDE, SIDE)))
    return path


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    return save_world(tmp_path_factory.mktemp("world"))


def edit(networks, photo, out, *more, editor="sdedit", prompt="a red pear", settings=STEPS):
    flags = ("--preset", networks / "tiny.yaml", "--editor", editor, *settings, "--json")
    return run("edit", photo, "--prompt", prompt, "--out", out, *flags, *more)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def half_mask(path, size=(SIDE, SIDE)):
    marked = np.zeros((size[1], size[0]), np.uint8)
    marked[:, : size[0] // 2] = 255
    Image.fromarray(marked).save(path)
    return path


def test_an_edit_is_written_and_repeats(networks, photo, tmp_path):
    for name in ("one.png", "two.png"):
        outcome = edit(networks, photo, tmp_path / name)
        assert outcome.code == 0, outcome.err
    assert outcome.counts["results"] == [{"file": str(tmp_path / "two.png"), "score": None}]
    assert np.array_equal(pixels(tmp_path / "one.png"), pixels(tmp_path / "two.png"))
    assert pixels(tmp_path / "one.png").shape == (SIDE, SIDE, 3)
    edit(networks, photo, tmp_path / "three.png", "--seed", 1)
    assert not np.array_equal(pixels(tmp_path / "one.png"), pixels(tmp_path / "three.png"))


def test_lower_precision_changes_little(networks, photo, tmp_path):
    outcomes = [
        edit(networks, photo, tmp_path / f"{dtype}.png", "--dtype", dtype)
        for dtype in ("float32", "bfloat16")
    ]
    assert [outcome.code for outcome in outcomes] == [0, 0]
    exact, rough = (pixels(tmp_path / f"{name}.png") for name in ("float32", "bfloat16"))
    difference = np.abs(exact.astype(int) - rough.astype(int))
    assert 0 < difference.mean() < 8


def test_copy_needs_no_model(networks, photo, tmp_path):
    assert edit(networks, photo, tmp_path / "a.png", editor="copy", settings=()).code == 0
    assert np.array_equal(pixels(tmp_path / "a.png"), pixels(photo))


def test_a_mask_by_hand_with_pixels_put_back(networks, photo, tmp_path):
    mask = half_mask(tmp_path / "mask.png")
    assert edit(networks, photo, tmp_path / "a.png", "--mask", mask, "--paste").code == 0
    found, source = pixels(tmp_path / "a.png"), pixels(photo)
    assert np.array_equal(found[:, SIDE // 2 :], source[:, SIDE // 2 :])
    assert not np.array_equal(found[:, : SIDE // 2], source[:, : SIDE // 2])


@pytest.mark.parametrize(
    "words", [(), ("--source-prompt", "a red apple"), ("--mask-phrase", "apple")]
)
def test_a_mask_that_is_found(networks, photo, tmp_path, words):
    more = ("--model", networks / "model", "--mask-out", tmp_path / "mask.png", "--paste")
    outcome = edit(networks, photo, tmp_path / "a.png", *more, *words, editor="iedit-m")
    assert outcome.code == 0, outcome.err
    with Image.open(tmp_path / "mask.png") as mask:
        outside = np.asarray(mask.resize((SIDE, SIDE), Image.Resampling.BILINEAR)) <= 127
    assert np.array_equal(pixels(tmp_path / "a.png")[outside], pixels(photo)[outside])


def test_several_results_are_ranked(networks, photo, tmp_path):
    outcome = edit(networks, photo, tmp_path / "a.png", "--results", 3)
    results = outcome.counts["results"]
    assert [result["file"] for result in results] == [
        str(tmp_path / f"a-{rank}.png") for rank in (1, 2, 3)
    ]
    scores = [result["score"] for result in results]
    assert scores == sorted(scores, reverse=True)


class TestRegions:
    """Where masks come from: `--mask` and `--regions` together, and what the editor does."""

    @pytest.fixture
    def used(self, networks, photo, tmp_path):
        """The mask that was used, None where there was none; and the result."""

        def edit_with(*words, editor="sdedit"):
            out, mask = tmp_path / "a.png", tmp_path / "used.png"
            more = ("--model", networks / "model", "--mask-phrase", "pear", *words)
            outcome = edit(networks, photo, out, *more, "--mask-out", mask, editor=editor)
            if "used no mask" in outcome.err:
                assert outcome.code == 2
                outcome = edit(networks, photo, out, *more, editor=editor)
                assert outcome.code == 0, outcome.err
                return None, pixels(out)
            assert outcome.code == 0, outcome.err
            return pixels(mask)[..., 0], pixels(out)

        return edit_with

    def test_an_editor_looks_for_regions_or_does_not(self, used):
        found, _ = used(editor="iedit-m")
        assert found is not None
        assert used(editor="sdedit")[0] is None
        assert used(editor="iedit")[0] is None

    @pytest.mark.parametrize(
        "words",
        [
            ("--regions", "segmenter"),
            ("--mask", "auto"),
            ("--mask", "auto", "--regions", "segmenter"),
        ],
    )
    def test_any_editor_keeps_to_regions_that_are_found(self, used, words):
        own, _ = used(editor="iedit-m")
        for editor in ("sdedit", "iedit", "iedit-m"):
            assert np.array_equal(used(*words, editor=editor)[0], own)

    @pytest.mark.parametrize(
        "words",
        [("--mask", "none"), ("--regions", "none"), ("--mask", "none", "--regions", "none")],
    )
    def test_none_are_looked_for(self, used, words):
        found, result = used(*words, editor="iedit-m")
        assert found is None
        assert np.array_equal(result, used(editor="iedit")[1])

    @pytest.mark.parametrize("more", [(), ("--regions", "none")])
    def test_a_mask_by_hand_takes_the_place_of_regions(self, used, tmp_path, more):
        drawn = half_mask(tmp_path / "mask.png")
        for editor in ("sdedit", "iedit-m"):
            found, _ = used("--mask", drawn, *more, editor=editor)
            assert np.array_equal(found, pixels(drawn)[..., 0])

    def test_regions_grow(self, used):
        found, _ = used("--set", "segmenter.mask_grow=1", editor="iedit-m")
        assert found.all() or not found.any()

    @pytest.mark.parametrize(
        ("words", "rule"),
        [
            (("--mask", "auto", "--regions", "none"), "--mask auto needs --regions, got none"),
            (
                ("--mask", "none", "--regions", "segmenter"),
                "--mask none leaves nothing to --regions segmenter: leave one of them out",
            ),
            (
                ("--mask", "m.png", "--regions", "segmenter"),
                "--mask m.png leaves nothing to --regions segmenter: leave one of them out",
            ),
            (
                ("--mask-grow", "0.1"),
                "--mask-grow is a setting of segmenter and contrast; sdedit has strength, "
                "guidance-scale, guided-share, steps and paste",
            ),
        ],
    )
    def test_what_contradicts_itself(self, networks, photo, tmp_path, words, rule):
        outcome = edit(networks, photo, tmp_path / "a.png", *words)
        assert (outcome.code, outcome.error) == (2, rule)


class TestSettings:
    def test_set_says_what_a_flag_says(self, networks, photo, tmp_path):
        ways = (
            ("--strength", 0.4),
            ("--set", "strength=0.4"),
            ("--set", "sdedit.strength=0.4"),
            ("--strength", 0.9, "--set", "sdedit.strength=0.4"),
        )
        for number, words in enumerate(ways):
            outcome = edit(networks, photo, tmp_path / f"{number}.png", *words)
            assert outcome.code == 0, outcome.err
        first, *others = [pixels(tmp_path / f"{number}.png") for number in range(len(ways))]
        assert all(np.array_equal(first, other) for other in others)
        assert edit(networks, photo, tmp_path / "plain.png").code == 0
        assert not np.array_equal(first, pixels(tmp_path / "plain.png"))

    @pytest.mark.parametrize(
        ("words", "rule"),
        [
            (
                ("--strength", 0.4),
                "--strength is a setting of sdedit, iedit, iedit-m, learned-regions and zestguide; "
                "copy has none",
            ),
            (
                ("--set", "strength=0.4"),
                "--set strength is a setting of sdedit, iedit, iedit-m, learned-regions and "
                "zestguide; copy has none",
            ),
            (
                ("--set", "sdedit.strength=0.4"),
                "--set sdedit.strength: sdedit is not used here, copy is",
            ),
            (
                ("--set", "copy.strength=0.4"),
                "--set copy.strength=0.4: copy has no setting strength",
            ),
            (("--set", "strenght=0.4"), "--set strenght=0.4: nothing has a setting strenght"),
        ],
    )
    def test_a_setting_that_the_editor_does_not_have(self, networks, photo, tmp_path, words, rule):
        outcome = edit(networks, photo, tmp_path / "a.png", *words, editor="copy", settings=())
        assert (outcome.code, outcome.error) == (2, rule)
        assert not (tmp_path / "a.png").exists()


def test_method_is_an_earlier_word_for_editor(networks, photo, tmp_path):
    flags = ("--prompt", "a red pear", "--preset", networks / "tiny.yaml", "--json")
    outcome = run("edit", photo, "--out", tmp_path / "a.png", "--method", "copy", *flags)
    assert (outcome.code, outcome.counts["editor"]) == (0, "copy")
    (line,) = outcome.err.splitlines()
    assert line == "pairloom: --method is called --editor now, and goes away in the next release"
    assert "--method" not in run("edit", "--help").out
    wrong = run("edit", photo, "--out", tmp_path / "b.png", "--method", "magic", *flags)
    assert "argument --method: invalid choice: 'magic'" in wrong.error


def test_an_editor_that_needs_what_a_photo_has_not(networks, photo, tmp_path):
    outcome = edit(networks, photo, tmp_path / "a.png", editor="retrieve", settings=())
    assert outcome.code == 1
    assert outcome.error == "retrieve needs pseudo_target_image, which this request has not"


class TestBad:
    @pytest.mark.parametrize(
        ("flags", "rule"),
        [
            (("--strength", "0"), "strength must be in (0, 1], got 0.0"),
            (("--strength", "2"), "strength must be in (0, 1], got 2.0"),
            (("--guidance-scale", "-1"), "guidance_scale must be at least 0, got -1.0"),
            (
                ("--regions", "segmenter", "--mask-grow", "2"),
                "mask_grow must be in [0, 1], got 2.0",
            ),
            (("--dtype", "int8"), "argument --dtype: invalid choice: 'int8'"),
            (("--results", "0"), "argument --results: must be at least 1, got 0"),
            (("--steps", "0"), "num_inference_steps must be at least 1, got 0"),
            (("--editor", "iedit"), "--editor iedit needs --model"),
            (("--mask-out", "a.jpg"), "--mask-out must be a .png file, got a.jpg"),
            (("--mask-out", "a.png"), "--mask-out: sdedit used no mask"),
        ],
    )
    def test_flags_that_break_a_rule(self, networks, photo, tmp_path, flags, rule):
        outcome = edit(networks, photo, tmp_path / "a.png", *flags)
        assert outcome.code == 2
        assert rule in outcome.error
        assert not (tmp_path / "a.png").exists()

    def test_an_empty_prompt(self, networks, photo, tmp_path):
        outcome = edit(networks, photo, tmp_path / "a.png", prompt=" ")
        assert (outcome.code, outcome.error) == (1, "prompt must not be empty")

    def test_a_prompt_that_is_too_long(self, networks, photo, tmp_path):
        outcome = edit(networks, photo, tmp_path / "a.png", prompt="a " * 30)
        assert "a prompt must have at most 12 tokens, got 32" in outcome.error

    def test_a_mask_of_another_size(self, networks, photo, tmp_path):
        mask = half_mask(tmp_path / "mask.png", (16, 16))
        outcome = edit(networks, photo, tmp_path / "a.png", "--mask", mask)
        assert outcome.error == "edit_mask must have the picture's size 32 x 32, got 16 x 16"

    def test_a_photo_that_is_none(self, networks, tmp_path):
        (tmp_path / "words.jpg").write_bytes(b"no picture")
        outcome = edit(networks, tmp_path / "words.jpg", tmp_path / "a.png")
        assert "words.jpg: not_an_image" in outcome.error
        outcome = edit(networks, tmp_path / "nowhere.jpg", tmp_path / "a.png")
        assert "nowhere.jpg: No such file" in outcome.error

    def test_a_model_that_is_none(self, networks, photo, tmp_path):
        outcome = edit(networks, photo, tmp_path / "a.png", "--model", tmp_path)
        assert "model_index.json is missing" in outcome.error

    def test_an_output_of_another_kind(self, networks, photo, tmp_path):
        outcome = edit(networks, photo, tmp_path / "a.jpg")
        assert (outcome.code, outcome.error[:25]) == (2, "--out must be a .png file")
