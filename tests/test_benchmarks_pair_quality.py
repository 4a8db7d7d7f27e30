import dataclasses
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.index import draw, picture, query
from fakes.still_life import save_preset
from support.confidence_sweep import keep_useful
from support.pair_truth import judge

from stilllife.truth import PictureId, possible_edits, truth_of
from transforms.record import Batch, Candidate, Scores
from transforms.select import SelectionThresholds, select_batch

ROOT = Path(__file__).parent.parent
SOURCE = PictureId(2, 0, 0).key
TARGET = PictureId(2, 0, 1).key


def row(**changes):
    """A row of the pairs whose captions are true and whose target is what was asked for."""
    return {
        "source_key": SOURCE,
        "target_key": TARGET,
        "caption": truth_of(SOURCE).caption(),
        "target_caption": truth_of(TARGET).caption(),
        "edit_prompt": truth_of(TARGET).caption(),
        "target_word": "red",
        "score_source_confidence": 0.9,
        "score_target_confidence": 0.8,
    } | changes


def right_pair():
    wanted = set(possible_edits(truth_of(SOURCE)))
    keys = (PictureId(2, 0, index).key for index in range(1, 5000))
    target = next(key for key in keys if truth_of(key).caption() in wanted)
    caption = truth_of(target).caption()
    return row(target_key=target, target_caption=caption, edit_prompt=caption)


def test_a_right_pair_has_no_cause():
    judged = judge(right_pair())
    assert (judged.right, judged.cause) == (True, "")
    assert (judged.source_confidence, judged.target_confidence) == (0.9, 0.8)
    assert judged.position_px > 0


def other_size(caption):
    return caption.replace("small", "SIZE").replace("large", "small").replace("SIZE", "large")


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        (
            {"caption": other_size(truth_of(SOURCE).caption())},
            "source caption untrue: first.size",
        ),
        (
            {"target_caption": other_size(truth_of(TARGET).caption())},
            "target caption untrue: first.size",
        ),
        (
            {"caption": "a dog", "target_caption": "a cat"},
            "source caption untrue: no such sentence and target caption untrue: no such sentence",
        ),
        (
            {"edit_prompt": other_size(truth_of(TARGET).caption())},
            "selected, but other in first.size",
        ),
        ({}, "the edit changes more than one attribute"),
    ],
)
def test_the_cause_of_a_wrong_pair(changes, cause):
    assert (
        len(set(truth_of(SOURCE).attributes().items()) - set(truth_of(TARGET).attributes().items()))
        > 1
    )
    judged = judge(row(**changes))
    assert (judged.right, judged.cause) == (False, cause)


def candidates(rng, prompt):
    for row_number in range(rng.randint(0, 12)):
        sure = rng.choice([None, *(level / 10 for level in range(11))])
        has_word = float(rng.random() < 0.7)
        scores = Scores(
            structure=rng.random(),
            new_word=has_word,
            old_word=0.0,
            rest=1.0,
            target_confidence=sure,
        )
        yield Candidate(
            row=row_number,
            key=f"k{row_number}",
            reference="r",
            content_sha256="s",
            caption=prompt,
            caption_confidence=sure,
            scores=scores,
        )


def test_what_the_sweep_leaves_out_would_never_be_chosen():
    rng = random.Random(0)
    source = picture("source", draw("red", 20, 20), "a red disc")
    queries = tuple(
        query(
            source, "a green disc", number=number, candidates=tuple(candidates(rng, "a green disc"))
        )
        for number in range(200)
    )
    batch, base = Batch("s", 0, queries), SelectionThresholds()
    kept = keep_useful(batch, base)
    assert sum(len(q.candidates) for q in kept.records) < 0.5 * sum(
        len(q.candidates) for q in queries
    )
    for level in (0.0, 0.25, 0.5, 0.75, 1.0):
        limits = dataclasses.replace(base, target_confidence=level)
        chosen, again = (select_batch(each, limits, edits=200).records for each in (batch, kept))
        assert [example.target for example in again] == [example.target for example in chosen]
        assert chosen


@pytest.mark.slow
def test_the_command_ends_with_its_figures(tmp_path):
    preset = save_preset(tmp_path / "networks")
    parts = {name: spec.describe() for name, spec in preset.parts.items()}
    (tmp_path / "tiny.yaml").write_text(str(parts).replace("None", "null"))
    ended = subprocess.run(
        [
            *(sys.executable, str(ROOT / "benchmarks" / "pair_quality.py"), "--told", "--json"),
            *("--preset", str(tmp_path / "tiny.yaml"), "--pool", "400", "--sources", "15"),
            *("--seed", "4", "--sweep"),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert ended.returncode == 0, ended.stderr
    fields = json.loads(ended.stdout.splitlines()[-1])
    assert fields["seed"] == 4
    assert {target["name"] for target in fields["targets"]} >= {"one object: right pairs"}
    figures = fields["figures"]
    names = {"right", "right_pairs", "yield", "pairs", "sources"}
    names |= {"position_px", "position_px_interval"}
    for case, more in (("one_object", 1), ("two_objects", 1), ("mean_baseline", 0)):
        assert figures[case].keys() == names | ({"answerable"} if more else set())
        assert figures[case]["sources"] == 15
    assert figures["mean_baseline"]["pairs"] == 15
    # Told captions that agree in every word are right.
    assert figures["one_object"]["right"] > figures["mean_baseline"]["right"]
