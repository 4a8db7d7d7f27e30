"""What an index and a build would take: the reckoning, its rates, and the command."""

import json
from pathlib import Path

import pytest
from fakes.command_line import run

from pipelines.plan.costs import Machines, reckon
from pipelines.plan.rates import load_rates

ROOT = Path(__file__).parent.parent
RATES = load_rates()


def hours(pictures, *, gpus, cores, preset="sd14"):
    costs = reckon(pictures, preset, RATES, Machines(gpus=gpus, cores=cores))
    return {job: costs.hours(job) for job in ("index", "build")}


def test_every_rate_says_where_it_is_from():
    assert {"sd14", "stilllife"} == set(RATES.presets())
    assert all(len(rate.source) > 3 for rate in RATES.by_name.values())
    assert any(rate.measured for rate in RATES.by_name.values())
    on_cards = {name: rate for name, rate in RATES.by_name.items() if name.endswith(".gpu")}
    # What a card was timed with is named with the card.
    assert all("H100" in rate.source for rate in on_cards.values() if rate.measured)
    assert not any(rate.measured for name, rate in on_cards.items() if "stilllife" in name)


def test_an_index_is_as_slow_as_the_slower_of_cards_and_cores():
    costs = reckon(1_000_000, "sd14", RATES, Machines(gpus=1, cores=16))
    cards = 1e6 * (RATES["networks.sd14.caption.gpu"] + RATES["networks.sd14.embed.gpu"]) / 3600
    assert costs.hours("index") == pytest.approx(cards)
    assert costs.driver("index") == "caption"
    few = reckon(1_000_000, "sd14", RATES, Machines(gpus=8, cores=1))
    assert few.hours("index") == pytest.approx(1e6 * RATES["host.prepare"] / 3600)
    assert few.driver("index") == "read and prepare"


def test_scoring_is_reckoned_without_the_search_that_is_a_step_of_its_own():
    kept = json.loads(Path(ROOT, "benchmarks/results/candidate_scoring.json").read_bytes())[
        "figures"
    ]
    seconds = kept["processor_seconds"]
    scoring = (seconds["the stage"] - seconds["search alone"]) / kept["queries"]
    assert RATES["host.score_query"] == pytest.approx(scoring, rel=0.1)
    costs = reckon(1000, "sd14", RATES, Machines(gpus=0, cores=1))
    names = [step.name for step in costs.steps if step.job == "build"]
    assert (names.count("search"), names.count("score")) == (1, 1)


def test_twice_the_machines_take_half_the_hours():
    one, two = hours(10**8, gpus=4, cores=64), hours(10**8, gpus=8, cores=128)
    for job, value in one.items():
        assert two[job] == pytest.approx(value / 2)


def test_without_cards_the_cores_do_all():
    costs = reckon(1000, "sd14", RATES, Machines(gpus=0, cores=2))
    assert {step.on for step in costs.steps} == {"cpu"}
    assert costs.hours("index") == pytest.approx(
        1000 * (4.07 + 1.3 + RATES["host.prepare"]) / 2 / 3600
    )


@pytest.mark.parametrize(
    ("pictures", "kind", "bytes_each"),
    [
        (10_000, "all vectors", 3080),
        (10**7, "inverted lists, a byte a number", 776),
        (5 * 10**9, "inverted lists, codes of 64 bytes", 72),
    ],
)
def test_the_search_index_fits_its_size(pictures, kind, bytes_each):
    costs = reckon(pictures, "sd14", RATES, Machines(gpus=1, cores=1))
    assert costs.index_key == kind
    assert costs.bytes["search index"] == pytest.approx(pictures * bytes_each)


def test_the_command_tells_every_size_in_plain_data():
    outcome = run("plan", "--pictures", "1e6", "5e9", "--gpus", 64, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    plans = json.loads(outcome.out.splitlines()[-1])["plans"]
    assert [plan["pictures"] for plan in plans] == [10**6, 5 * 10**9]
    assert all(plan["cores"] == 1024 and plan["hours"]["index"] > 0 for plan in plans)
    assert "reasoned" in outcome.out
    assert "measured" in outcome.out


def test_the_command_looks_at_a_source():
    outcome = run("plan", "still-life", "--preset", "stilllife", "--json")
    (plan,) = json.loads(outcome.out.splitlines()[-1])["plans"]
    assert 0 < plan["bytes"]["source pictures"] / plan["pictures"] < 40_000


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (("--pictures", "0.5"), 2, "such as 4e8, got '0.5'"),
        (("--pictures", "many"), 2, "such as 4e8, got 'many'"),
        (("--preset", "mine"), 1, "there are rates for the presets sd14, stilllife, not for mine"),
    ],
)
def test_what_cannot_be_reckoned_is_one_line(words, code, line):
    outcome = run("plan", *words)
    assert outcome.code == code
    assert line in outcome.err
    assert outcome.err.count("\n") == 1
