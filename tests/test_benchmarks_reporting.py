"""How a benchmark ends: its targets, their intervals, and the line of JSON."""

import argparse
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.intervals import bootstrap_mean, wilson
from support.reporting import Target, add_report_flags, at_least, at_most, finish

ROOT = Path(__file__).parent.parent
ENDS_WITH = {"command", "seed", "version", "hardware", "figures", "targets"}


def test_an_interval_of_a_share_by_hand():
    # Wilson (1927), 8 of 10: centre (0.8 + z^2/20) / (1 + z^2/10) with z = 1.96.
    low, high = wilson(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)


@pytest.mark.parametrize(("successes", "total"), [(0, 7), (7, 7), (1, 1), (500, 1000)])
def test_an_interval_of_a_share_holds_the_share_and_stays_in_range(successes, total):
    low, high = wilson(successes, total)
    assert 0 <= low < high <= 1
    assert low <= successes / total + 1e-12
    assert high >= successes / total - 1e-12
    mirrored = wilson(total - successes, total)
    assert (1 - high, 1 - low) == pytest.approx(mirrored)


def test_nothing_has_no_interval():
    assert wilson(0, 0) is None
    assert bootstrap_mean([]) is None


def test_more_successes_than_there_are_is_an_error():
    with pytest.raises(ValueError, match=r"successes must be in \[0, 3\], got 4"):
        wilson(4, 3)


def test_an_interval_of_a_mean_is_near_that_of_a_normal_distribution():
    values = np.random.default_rng(0).normal(5, 2, size=400)
    low, high = bootstrap_mean(values.tolist(), seed=1)
    half = 1.96 * values.std() / math.sqrt(len(values))
    assert low == pytest.approx(values.mean() - half, abs=0.03)
    assert high == pytest.approx(values.mean() + half, abs=0.03)
    assert bootstrap_mean(values.tolist(), seed=1) == (low, high)


@pytest.mark.parametrize(
    ("bound", "value", "met"),
    [
        (at_least(0.99), 0.99, True),
        (at_least(0.99), 0.9899, False),
        (at_most(1.15), 1.15, True),
        (at_most(1.15), 1.151, False),
        (at_least(0), None, False),
        (at_most(0), None, False),
        (None, 3.0, None),
        (None, None, None),
    ],
)
def test_a_target_is_met_where_its_bound_holds(bound, value, met):
    assert Target(name="figure", value=value, bound=bound).met is met


def test_a_target_as_plain_data():
    claim = Target(name="right", value=0.995, bound=at_least(0.99), interval=(0.98, 1.0))
    assert claim.as_dict() == {
        "name": "right",
        "target": ">= 0.99",
        "kind": "claim",
        "value": 0.995,
        "interval": [0.98, 1.0],
        "met": True,
    }
    guard = Target(name="px", value=5.0, bound=at_most(4.5, kind="guard")).as_dict()
    assert (guard["target"], guard["kind"], guard["met"]) == ("<= 4.5", "guard", False)
    shown = Target(name="s", value=5.0).as_dict()
    assert (shown["target"], shown["kind"], shown["met"]) == (None, "informative", None)


def end(words, capsys):
    parser = argparse.ArgumentParser()
    add_report_flags(parser)
    targets = [
        Target(name="right", value=0.9, bound=at_least(0.99), interval=(0.8, 0.95)),
        Target(name="seconds", value=None),
    ]
    finish(parser.parse_args(words), figures={"right": 0.9}, targets=targets)
    return capsys.readouterr().out


def test_with_json_the_last_line_says_all(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/benchmarks/thing.py", "--seed", "3", "--json"])
    fields = json.loads(end(["--seed", "3", "--json"], capsys).splitlines()[-1])
    assert fields.keys() == ENDS_WITH
    assert fields["command"] == "python benchmarks/thing.py --seed 3 --json"
    assert fields["seed"] == 3
    assert fields["figures"] == {"right": 0.9}
    assert [target["met"] for target in fields["targets"]] == [False, None]
    hardware = fields["hardware"]
    assert hardware.keys() == {"cpu", "cores", "virtual", "memory_gib", "python", "torch"}
    assert hardware["cpu"]
    assert hardware["cores"] == os.cpu_count()
    assert hardware["memory_gib"] > 0


def test_without_json_only_the_table_is_shown(capsys):
    shown = end([], capsys)
    assert "targets" in shown
    assert ">= 0.99 (claim)" in shown
    assert "NO" in shown
    assert "{" not in shown


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("structure_position.py", "--pool", "400", "--queries", "40"),
        ("index_recall.py", "--vectors", "2000", "--queries", "50", "--key", "IVF16,Flat"),
        ("rewrite_sentences.py",),
        ("anchors.py", "--pictures", "40"),
    ],
)
def test_a_benchmark_started_from_the_root_ends_with_its_line(words):
    ended = subprocess.run(
        [sys.executable, f"benchmarks/{words[0]}", *words[1:], "--json", "--seed", "0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert ended.returncode == 0, ended.stderr
    fields = json.loads(ended.stdout.splitlines()[-1])
    assert fields.keys() == ENDS_WITH
    assert fields["command"].startswith(f"python benchmarks/{words[0]} ")
    assert fields["targets"]
    for target in fields["targets"]:
        assert target.keys() == {"name", "target", "kind", "value", "interval", "met"}
        if target["interval"] is not None:
            low, high = target["interval"]
            assert low <= target["value"] + 1e-9
            assert high >= target["value"] - 1e-9
