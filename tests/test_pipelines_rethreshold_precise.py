"""`pairloom rethreshold --precision`: the thresholds that reach it, or that none does."""

import json

import pytest
from fakes import records
from fakes.command_line import run as run_command

from pipelines.marks.judged import heading_of
from pipelines.marks.marks_file import Mark, MarksFile
from pipelines.marks.strata import Design, read_ranked
from pipelines.rethreshold import command
from transforms.dataset.checks import check_folder
from transforms.dataset.folder import prepare_output, write_manifest
from transforms.dataset.manifest import hash_configuration, load_manifest
from transforms.dataset.reader import open_pairs
from transforms.dataset.shard_contents import tabulate
from transforms.dataset.shards import OutputShard
from transforms.record import Batch, Scores
from transforms.select import SelectionThresholds, select_batch
from transforms.write import write_shard

PAIRS = 240
NONE_NEW = SelectionThresholds(
    require_new_word=False, forbid_old_word=False, rest=None, word_order=None
)
CONFIGURATION = {
    "edits": 1,
    "seed": 3,
    "thresholds": {name: getattr(NONE_NEW, name) for name in NONE_NEW.__dataclass_fields__},
}


def offered(position):
    """A candidate whose structure rises with the position, and a second that is worse."""
    for number, share in ((1000 + position, 1.0), (3000 + position, 0.5)):
        structure = round(share * position / PAIRS, 4)
        scores = Scores(rank=number // 3000, structure=structure)
        one = records.candidate(number)
        yield type(one)(**{**vars(one), "scores": scores})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("precise") / "pairs"
    shard = OutputShard(0, 1, "s0", PAIRS)
    digest = hash_configuration(CONFIGURATION)
    queries = [
        records.query(position, 0, "s0", tuple(offered(position))) for position in range(PAIRS)
    ]
    chosen = select_batch(Batch("s0", 0, tuple(queries)), NONE_NEW, edits=1)
    prepare_output(folder, digest)
    receipt = write_shard(
        folder,
        shard,
        [chosen],
        considered=[tabulate(queries)],
        open_source=records.FakeSource().open,
        open_target=records.FakeSource().open,
        configuration_hash=digest,
    )
    write_manifest(folder, records.manifest([receipt], CONFIGURATION))
    return folder


def mark_all(folder, path, right, *, count=200, judge="anna"):
    pairs = open_pairs(folder)
    file = MarksFile(path, heading_of(pairs, Design()))
    for pair in read_ranked(pairs.table, Design())[:count]:
        verdict = "right" if right(pair.scores["structure"]) else "wrong"
        file.add(Mark(pair.key, pair.target_key, judge, verdict))
    return path


def run(folder, out, *flags):
    import argparse

    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["rethreshold", str(folder), "--out", str(out), *map(str, flags)])
    return command.run(args, open_source=lambda spec: records.FakeSource())


def test_the_pairs_that_stay_reach_the_precision(folder, tmp_path, capsys):
    marks = mark_all(folder, tmp_path / "marks", lambda structure: structure > 0.3)
    flags = ("--precision", 0.95, "--by", "quality", "--marks", marks, "--json")
    assert run(folder, tmp_path / "out", *flags) == 0
    out = capsys.readouterr().out
    counts = json.loads(out.splitlines()[-1])
    chosen = counts["chosen"]
    assert chosen["score"] == "quality"
    assert chosen["bound"] >= 0.95
    assert chosen["new_pairs"] == 0
    assert counts["pairs"] == chosen["pairs"] < counts["pairs_before"] == PAIRS
    assert f"threshold quality={chosen['value']:.6g}: {counts['pairs']} pairs, with" in out
    stay = [pair.scores.structure for pair in open_pairs(tmp_path / "out")]
    assert sum(structure > 0.3 for structure in stay) >= 0.95 * len(stay)
    assert len(stay) > 0.6 * PAIRS
    manifest = load_manifest(tmp_path / "out")
    assert manifest.configuration["thresholds"]["quality"] == chosen["value"]
    assert manifest.counts.rejects["select"] == {"quality_too_low": PAIRS - len(stay)}
    assert check_folder(tmp_path / "out").problems == []


def test_nothing_changes_where_all_are_right(folder, tmp_path, capsys):
    marks = mark_all(folder, tmp_path / "marks", lambda structure: True)
    assert run(folder, tmp_path / "out", "--precision", 0.95, "--marks", marks) == 0
    assert "the thresholds stay as they are: 240 pairs" in capsys.readouterr().out
    assert len(open_pairs(tmp_path / "out")) == PAIRS


@pytest.mark.parametrize(
    ("right", "count", "said"),
    [
        (lambda structure: False, 200, "0.000 of the pairs are right by 200 marks"),
        (lambda structure: structure > 0.3, 40, "by 40 marks; no|by 40 marks; the best"),
    ],
    ids=["all wrong", "few marks"],
)
def test_that_none_reaches_it_is_told_and_nothing_written(folder, tmp_path, right, count, said):
    marks = mark_all(folder, tmp_path / "marks", right, count=count)
    outcome = run_command(
        *("rethreshold", folder, "--out", tmp_path / "out", "--precision", 0.95, "--marks", marks)
    )
    tried = "no threshold on quality, structure reaches precision 0.95 with confidence 0.95"
    assert tried in outcome.error
    assert any(each in outcome.error for each in said.split("|"))
    assert "At least 72 marks, all of them right, are needed" in outcome.error
    assert outcome.code == 1
    assert not (tmp_path / "out").exists()


def test_what_comes_in_anew_counts_as_wrong(folder, tmp_path, capsys):
    """By structure alone a second candidate never passes where the first does not."""
    marks = mark_all(folder, tmp_path / "marks", lambda structure: structure > 0.2)
    flags = ("--precision", 0.9, "--by", "structure", "--marks", marks, "--json")
    assert run(folder, tmp_path / "out", *flags) == 0
    chosen = json.loads(capsys.readouterr().out.splitlines()[-1])["chosen"]
    assert chosen["score"] == "structure"
    assert chosen["new_pairs"] == 0


def test_one_judge_may_be_asked(folder, tmp_path, capsys):
    marks = mark_all(folder, tmp_path / "marks", lambda structure: True)
    mark_all(folder, marks, lambda structure: False, judge="ben")
    flags = ("--precision", 0.95, "--marks", marks)
    assert run(folder, tmp_path / "out", *flags, "--judge", "anna") == 0
    outcome = run_command("rethreshold", folder, "--out", tmp_path / "o", *flags, "--judge", "carl")
    assert "marks are by anna, ben, got judge carl" in outcome.error
    outcome = run_command("rethreshold", folder, "--out", tmp_path / "o", *flags)
    assert "no threshold on quality, structure reaches" in outcome.error


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--precision", 1.5], 2, "precision must be in (0, 1), got 1.5"),
        (["--precision", 0.9, "--confidence", 0], 2, "confidence must be in (0, 1), got 0"),
        (["--precision", 0.9, "--by", "beauty"], 2, "scores must be some of quality"),
        (["--precision", 0.9, "--threshold", "rest=0.5"], 2, "takes no --threshold"),
        (["--confidence", 0.9], 2, "--confidence goes with --precision"),
        (["--judge", "anna"], 2, "--judge goes with --precision"),
        (["--precision", 0.9], 1, "cannot read"),
    ],
)
def test_what_is_asked_for_wrongly(folder, tmp_path, words, code, message):
    outcome = run_command("rethreshold", folder, "--out", tmp_path / "out", *words)
    assert message in outcome.error
    assert outcome.code == code
    assert not (tmp_path / "out").exists()
