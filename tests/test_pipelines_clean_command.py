"""`clean`, `decontaminate` and `build --splits` as a person types them."""

import pytest
import yaml
from fakes import copies
from fakes.command_line import run

from transforms.dataset.reader import open_pairs

SPLITS = "train=0.6,val=0.2,test=0.2"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs") / "pairs"
    copies.build(folder, originals=12)
    return folder


def test_splits_and_caps_are_told(pairs, tmp_path):
    done = run(
        *("clean", pairs, "--out", tmp_path / "out", "--splits", SPLITS),
        *("--cap", "source=1", "--cap", "exchange=50", "--json"),
    )
    assert done.code == 0, done.err
    counts = done.counts
    assert counts["pairs"] == sum(counts["splits"].values())
    dropped = sum(map(sum, (counts["rejects"][stage].values() for stage in ("split", "balance"))))
    assert counts["pairs_before"] == counts["pairs"] + dropped
    assert "dropped, split: crosses_splits" in done.out
    assert run("verify", tmp_path / "out").code == 0


def test_rules_may_lie_in_a_file(pairs, tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump({"licence": ["CC0"], "width": ">=32"}))
    words = ("clean", pairs, "--filters", rules, "--json")
    strict = run(*words, "--out", tmp_path / "strict")
    loose = run(*words, "--filter", "licence=none", "--out", tmp_path / "loose")
    assert strict.code == loose.code == 0, strict.err + loose.err
    assert strict.counts["pairs"] < loose.counts["pairs"] == loose.counts["pairs_before"]


def test_one_picture_a_group_stays(pairs, tmp_path):
    done = run("clean", pairs, "--out", tmp_path / "out", "--one-a-group", "--json")
    assert done.code == 0, done.err
    assert done.counts["rejects"]["deduplicate"]
    used = {}
    for row in open_pairs(tmp_path / "out").table.rows():
        for side in ("source", "target"):
            group, sha256 = row[f"{side}_group"], row[f"{side}_sha256"]
            assert used.setdefault(group, sha256) == sha256


def test_nothing_left_is_said(pairs, tmp_path):
    done = run("clean", pairs, "--out", tmp_path / "out", "--filter", "width=>=5000")
    assert done.code == 0
    assert "no pair of" in done.err
    assert "width_filtered" in done.err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "say what to clean: --splits, --filter, --cap or --one-a-group"),
        (("--splits", "train=0.5"), "the shares of splits must add up to 1, got 0.5"),
        (("--cap", "word=3"), "a cap must be of exchange, target, source, group, got 'word'"),
        (("--filter", "beauty=>=3"), "a filter must be of one of licence, "),
        (("--filter", "aesthetic=>=5"), "--filter aesthetic needs the head that scores"),
        (("--filters", "nowhere.yaml"), "--filters nowhere.yaml: "),
        (("--one-a-group", "--preset", "nowhere"), "--preset nowhere: "),
    ],
)
def test_what_is_asked_for_wrongly_is_one_line(pairs, tmp_path, flags, said):
    done = run("clean", pairs, "--out", tmp_path / "out", *flags)
    assert done.code == 2
    assert done.error.startswith(said)
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_head_for_another_encoder_is_one_line(pairs, tmp_path):
    import numpy as np
    from safetensors.numpy import save_file

    head = {"weight": np.ones((1, 7), np.float32), "bias": np.zeros(1, np.float32)}
    save_file(head, tmp_path / "head.safetensors")
    flags = ("--aesthetic-head", tmp_path / "head.safetensors", "--filter", "aesthetic=>=0")
    done = run("clean", pairs, "--out", tmp_path / "out", *flags)
    assert done.code == 1
    assert "takes embeddings of dimension 7, got 128" in done.error


def test_an_aesthetic_head_scores_both_pictures(pairs, tmp_path):
    import numpy as np
    from safetensors.numpy import save_file

    weight = np.random.default_rng(0).standard_normal((1, 128)).astype(np.float32)
    save_file({"weight": weight, "bias": np.zeros(1, np.float32)}, tmp_path / "head.safetensors")
    flags = ("--aesthetic-head", tmp_path / "head.safetensors", "--filter", "aesthetic=>=0")
    done = run("clean", pairs, "--out", tmp_path / "out", *flags, "--json")
    assert done.code == 0, done.err
    assert 0 < done.counts["rejects"]["filter"]["aesthetic_filtered"] < done.counts["pairs_before"]
    for row in open_pairs(tmp_path / "out").table.rows(["source_aesthetic", "target_aesthetic"]):
        assert min(row.values()) >= 0


def test_near_copies_of_a_test_set_are_dropped_and_named(pairs, tmp_path):
    tests = tmp_path / "tests"
    tests.mkdir()
    for number in (2, 3):
        data = copies.Copies(12).pictures()[number][1]
        (tests / f"test{number}.png").write_bytes(copies.recompress(data, 85))
    (tests / "broken.png").write_bytes(b"no picture")
    words = ("decontaminate", pairs, "--against", tests, "--out", tmp_path / "out", "--json")
    done = run(*words)
    assert done.code == 0, done.err
    counts = done.counts
    assert "1 test pictures could not be read" in done.err
    assert len(counts["dropped"]) == counts["pairs_before"] - counts["pairs"] > 0
    assert "is a near-copy of the test picture" in counts["dropped"][0]["detail"]
    assert counts["dropped"][0]["pair"] in done.out
    assert run("verify", tmp_path / "out").code == 0
    assert run(*words).counts == counts  # finished: nothing is done again


def test_the_folder_itself_is_no_place_for_the_result(pairs):
    for command in (("clean", "--one-a-group"), ("decontaminate", "--against", pairs)):
        done = run(command[0], pairs, "--out", pairs, *command[1:])
        assert done.code == 2
        assert done.error.startswith("--out must be another folder")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with a source of still lifes, half of them in the index beside it."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "pool.yaml").write_text(
        "{kind: still-life, count: 80, seed: 4, told: true, two_objects_percent: 0}\n"
    )
    (folder / "source.yaml").write_text(
        "{kind: still-life, count: 12, start: 74, seed: 4, told: true, shard_size: 6, "
        "two_objects_percent: 0}\n"
    )
    words = ("index", folder / "pool.yaml", "--captions", "source", "--near-copies")
    assert run(*words, "--out", folder / "index").code == 0
    return folder


def build(world, out, *flags):
    return run(
        *("build", world / "source.yaml", "--captions", "source", "--index", world / "index"),
        *("--edits", 2, "--attempts", 8, "--no-selection", "--out", out, "--json", *flags),
    )


def test_build_makes_pairs_and_cleans_them_in_one_go(world, tmp_path):
    out = tmp_path / "out"
    done = build(world, out, "--splits", SPLITS, "--cap", "target=1")
    assert done.code == 0, done.err
    cleaned = done.counts["cleaned"]
    assert cleaned["pairs_before"] == done.counts["pairs"] > cleaned["pairs"] > 0
    assert run("verify", out).code == 0
    assert run("verify", out / "before").code == 0
    assert open_pairs(out).manifest.configuration["clean"]["index"] is not None
    again = build(world, out, "--splits", SPLITS, "--cap", "target=1")
    assert again.counts["shards_skipped"] == again.counts["shards"]
    assert again.counts["cleaned"] == cleaned


def test_build_without_such_flags_is_what_it_was(world, tmp_path):
    plain = build(world, tmp_path / "plain")
    assert "cleaned" not in plain.counts
    assert not (tmp_path / "plain" / "before").exists()
    done = build(world, tmp_path / "out", "--cap", "target=1")
    assert done.code == 0, done.err
    for path in (tmp_path / "plain").glob("*.parquet"):
        assert (tmp_path / "out" / "before" / path.name).read_bytes() == path.read_bytes()
    refused = build(world, tmp_path / "plain", "--cap", "target=1")
    assert refused.code == 1
    assert "holds a data set that was not cleaned" in refused.error
