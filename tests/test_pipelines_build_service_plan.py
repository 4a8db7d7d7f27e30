"""A build whose index is a service: pairs, resumption, and what is refused."""

import dataclasses

import pytest
from fakes.clip_retrieval import knn_server
from fakes.folders import hashes, rows_of
from fakes.still_life import POOL

from indexes.folder import open_index
from indexes.knn_service import KnnServiceError
from pairloom.__main__ import main
from pipelines.build.job import run_build
from pipelines.build.plain_loop import plain_build
from pipelines.build.plan import BuildOptions
from pipelines.build.service_plan import PICTURES_SUFFIX, is_service, plan_service_build
from pipelines.running.execution import Execution
from pipelines.sources import open_source
from pipelines.still_life.source import StillLifeSource
from transforms.dataset import checks
from transforms.fetching.options import FetchOptions
from transforms.retrieve import RetrieveOptions
from transforms.rewrite import RewriteOptions
from transforms.select import SelectionThresholds

# The last two are not in the pool.
SOURCE = StillLifeSource(
    count=12, start=590, seed=5, shard_size=6, told=True, two_objects_percent=0
)
FETCH = FetchOptions(allow_addresses=("127.0.0.0/8",), backoff_s=0.01)


@pytest.fixture
def server(told_index):
    with knn_server(open_index(told_index[0]), POOL.open) as found:
        yield found


def plan(server, preset, folder, **settings):
    options = {"captions": "source", "batch_size": 8, "rewrite": RewriteOptions(edits=4)}
    return plan_service_build(
        source=SOURCE,
        url=server.url,
        name=None,
        preset=preset,
        options=BuildOptions(**(options | settings)),
        folder=str(folder),
        fetch=FETCH,
    )


ANY = SelectionThresholds(require_new_word=False, forbid_old_word=False, rest=None, word_order=None)


def shards_of(folder):
    return {name: mark for name, mark in hashes(folder).items() if name.endswith(".parquet")}


def test_pairs_are_of_the_services_pictures(server, tiny_preset, tmp_path):
    folder = tmp_path / "pairs"
    summary = run_build(plan(server, tiny_preset, folder, thresholds=ANY), Execution())
    pairs = rows_of(folder, "pairs")
    assert summary.counts.pairs == len(pairs) > 6
    for row in pairs:
        entry = server.index.row(row["target_row"])
        assert row["target_url"] == row["target_reference"]
        assert row["target_url"] == f"{server.url}/pictures/{entry.row}"
        assert row["target_caption"] == entry.caption
        assert row["target_language"] == ("en" if entry.row % 2 else None)
        assert row["target_similarity"] is None  # the service's is that of the search
        assert row["target_sha256"] == entry.content_sha256 != row["source_sha256"]
        assert row["edited_image"]["bytes"] == POOL.open(entry.reference)
        assert row["score_retrieval"] == row["score_text_image_target"]
        assert row["score_structure"] is row["score_image_image"] is None
    found = checks.check_folder(folder)
    assert found.problems == []
    asked = [path for path in server.asked if path.startswith("/pictures/")]
    assert len(asked) == len(set(asked))
    again = tmp_path / "again" / "pairs"
    plain_build(plan(server, tiny_preset, again, thresholds=ANY))
    assert shards_of(again) == shards_of(folder) != {}


def test_a_service_has_no_captions_to_judge_by(server, tiny_preset, tmp_path):
    with pytest.raises(ValueError, match="judge must be none"):
        plan(server, tiny_preset, tmp_path, rewrite=RewriteOptions(edits=4, judge="encoder"))


def test_captions_decide_before_pictures_are_fetched(server, tiny_preset, tmp_path):
    folder = tmp_path / "pairs"
    run_build(plan(server, tiny_preset, folder), Execution())
    rejects = rows_of(folder, "rejects")
    reasons = {(row["stage"], row["reason"]) for row in rejects}
    assert ("select", "target_lacks_new_word") in reasons or ("select", "rest_differs") in reasons
    asked = {path for path in server.asked if path.startswith("/pictures/")}
    edits = rows_of(folder, "candidates", ["candidates"])
    wanted = {each["row"] for edit in edits for each in edit["candidates"]}
    assert asked == {f"/pictures/{row}" for row in wanted}
    assert checks.check_folder(folder).problems == []


def test_pictures_that_are_gone_make_room_for_the_next(server, tiny_preset, tmp_path):
    holes = tmp_path / "holes"
    server.gone = set(range(0, 600, 2))
    run_build(plan(server, tiny_preset, holes, thresholds=ANY), Execution())
    rows = [row["target_row"] for row in rows_of(holes, "pairs")]
    assert len(rows) > 3
    assert all(row % 2 for row in rows)
    server.gone = set(range(600))
    none = tmp_path / "none"
    run_build(plan(server, tiny_preset, none, thresholds=ANY), Execution())
    assert rows_of(none, "pairs") == []
    gone = [row for row in rows_of(none, "rejects") if row["stage"] == "retrieve"]
    assert {row["reason"] for row in gone} == {"target_gone"}
    assert "http_404" in gone[0]["detail"]


def test_a_service_that_goes_away_ends_the_job_and_the_rest_is_made_later(
    server, tiny_preset, tmp_path, capfd
):
    folder = tmp_path / "pairs"
    ready = plan(server, tiny_preset, folder, thresholds=ANY)
    impatient = dataclasses.replace(ready.service, retries=0)
    calls = []

    def go_away(_):
        calls.append(1)
        return (503, b"") if len(calls) > 30 else None

    server.spoil["/knn-service"] = go_away
    with pytest.raises(Exception, match="/knn-service answers 503"):
        run_build(dataclasses.replace(ready, service=impatient), Execution(pictures_a_unit=1))
    server.spoil.clear()
    summary = run_build(ready, Execution())
    assert summary.shards_skipped >= 1
    assert checks.check_folder(folder).problems == []


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"method": "mine"}, "method must be search"),
        ({"retrieve": RetrieveOptions(candidates="mine")}, "candidates must be search"),
        ({"thresholds": SelectionThresholds(structure=0.5)}, "threshold structure must be none"),
        (
            {
                "retrieve": RetrieveOptions(query="mean"),
                "thresholds": SelectionThresholds(text_image_target=0.1),
            },
            "threshold text_image_target must be none",
        ),
    ],
)
def test_what_a_service_does_not_give_cannot_be_asked_for(
    server, tiny_preset, tmp_path, settings, error
):
    with pytest.raises(ValueError, match=error):
        plan(server, tiny_preset, tmp_path / "pairs", **settings)


def test_pairs_lie_on_this_machine_beside_their_pictures(
    server, tiny_preset, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="must be on this machine with an index that is a service"):
        plan(server, tiny_preset, "memory://tests/pairs")
    assert list(tmp_path.iterdir()) == []


def test_an_index_of_another_length_is_refused(server, tiny_preset, tmp_path):
    server.spoil["/knn-service"] = lambda _: (500, b"no")
    with pytest.raises(KnnServiceError, match="vectors of dimension"):
        plan(server, tiny_preset, tmp_path / "pairs")


def test_the_pool_is_opened_again_from_what_is_said_of_it(server, tiny_preset, tmp_path):
    pool = plan(server, tiny_preset, tmp_path / "pairs").pool
    again = open_source(pool.describe())
    assert again.describe() == pool.describe()
    assert pool.describe()["store"] == str(tmp_path / "pairs") + PICTURES_SUFFIX


@pytest.mark.parametrize("text", ["http://a", "HTTPS://a:1"])
def test_an_address_is_a_service(text):
    assert is_service(text)
    assert not is_service(f"./{text}")


def test_the_command_asks_the_service(server, tmp_path, capsys):
    words = ["build", "still-life", "--index", "http://127.0.0.1:1", "--out", str(tmp_path / "p")]
    assert main(words) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "http://127.0.0.1:1" in said
    words[3] = str(tmp_path)
    assert main([*words, "--index-name", "pool"]) == 2
    assert "--index-name belongs to an --index that is a service" in capsys.readouterr().err
