"""What the page's server answers, and whom."""

import io
import json

import pytest
from fakes.judging import TOKEN, open_client, open_session
from fakes.report import write_dataset
from PIL import Image

from pipelines.marks.marks_file import read_marks

HERE = f"/{TOKEN}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("data"), pairs=12, rejects=2)


@pytest.fixture
def marks(tmp_path):
    return tmp_path / "marks.jsonl"


@pytest.fixture
def client(folder, marks):
    return open_client(open_session(folder, marks))


def state_of(answer):
    assert answer.status_code == 200, answer.data
    return json.loads(answer.data)


def give(client, state, verdict="right", parts=()):
    mark = {"key": state["pair"]["key"], "verdict": verdict, "parts": list(parts)}
    return state_of(client.post(f"{HERE}/mark", json=mark))


def test_a_pair_is_shown_with_its_words_and_pictures(client):
    state = state_of(client.get(f"{HERE}/state"))
    assert (state["marked"], state["asked"], state["all"]) == (0, 12, 12)
    pair = state["pair"]
    assert "".join(pair["caption"]) != "".join(pair["edit_prompt"])
    assert pair["caption"][1]
    for name, address in pair["pictures"].items():
        answer = client.get(f"{HERE}/{address}")
        assert answer.mimetype == "image/png"
        size = Image.open(io.BytesIO(answer.data), formats=["PNG"]).size
        assert size == ((128, 128) if name.endswith("mask") else (64, 64))
    assert not state["can_undo"]
    assert len(state["coming"]) == 1


def test_neither_scores_nor_other_judges_are_shown(folder, marks, client):
    give(client, state_of(client.get(f"{HERE}/state")), "wrong", ["target_words"])
    other = open_client(open_session(folder, marks, judge="ben"))
    answer = other.get(f"{HERE}/state").data.decode()
    for word in ("score", "stratum", "anna", "wrong"):
        assert word not in answer
    assert state_of(other.get(f"{HERE}/state"))["marked"] == 0


def test_marks_are_kept_and_the_next_pair_comes(client, marks):
    state = state_of(client.get(f"{HERE}/state"))
    seen = []
    for verdict, parts in (("right", []), ("wrong", ["something_else"]), ("unsure", [])):
        seen.append(state["pair"]["key"])
        state = give(client, state, verdict, parts)
    assert len(set(seen)) == 3
    assert state["marked"] == 3
    found = read_marks(marks).of("anna")
    assert [(key, mark.verdict) for key, mark in found.items()] == list(
        zip(seen, ["right", "wrong", "unsure"], strict=True)
    )
    assert found[seen[1]].parts == ("something_else",)


def test_undo_shows_the_pair_again_with_its_mark(client, marks):
    first = state_of(client.get(f"{HERE}/state"))
    second = give(client, first, "wrong", ["source_words", "target_mask"])
    give(client, second)
    state = state_of(client.post(f"{HERE}/undo", json={}))
    assert state["pair"]["key"] == second["pair"]["key"]
    state = state_of(client.post(f"{HERE}/undo", json={}))
    assert state["pair"]["key"] == first["pair"]["key"]
    assert state["undone"] == {
        "key": first["pair"]["key"],
        "verdict": "wrong",
        "parts": ["source_words", "target_mask"],
    }
    assert read_marks(marks).of("anna") == {}
    assert state_of(client.post(f"{HERE}/undo", json={}))["undone"] is None


def test_a_session_goes_on_where_it_was_left(folder, marks, client):
    state = give(client, state_of(client.get(f"{HERE}/state")))
    again = open_client(open_session(folder, marks))
    assert state_of(again.get(f"{HERE}/state"))["pair"] == state["pair"]


def test_the_end_tells_what_the_marks_say(folder, marks):
    client = open_client(open_session(folder, marks, count=4))
    state = state_of(client.get(f"{HERE}/state"))
    for verdict in ("right", "right", "wrong", "unsure"):
        state = give(client, state, verdict)
    assert state["pair"] is None
    assert (state["marked"], state["asked"], state["all"]) == (4, 4, 12)
    summary = state_of(client.get(f"{HERE}/summary"))
    assert summary["precision"]["marked"] == 3
    assert summary["unsure"] == 1
    assert [stratum["pairs"] for stratum in summary["strata"]] == [6, 6]


def test_finish_ends_the_server(folder, marks):
    ended = []
    client = open_client(open_session(folder, marks), finish=lambda: ended.append(True))
    assert state_of(client.post(f"{HERE}/finish", json={})) == {"ended": True}
    assert ended == [True]


@pytest.mark.parametrize(
    "address",
    ["/", "/state", "/wrong/state", "/wrong/", f"{HERE}x/state", "/x/picture/0/source.png"],
)
def test_nothing_is_told_to_who_does_not_know_the_token(client, address):
    answer = client.get(address)
    assert answer.status_code == 404
    assert json.loads(answer.data) == {"error": "Not Found"}


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example"])
def test_another_name_than_the_loopback_s_is_refused(client, host):
    assert client.get(f"{HERE}/state", headers={"Host": host}).status_code == 403
    assert client.get(f"{HERE}/state", headers={"Host": "localhost:1234"}).status_code == 200


def test_the_page_loads_nothing_from_elsewhere(client):
    answer = client.get(f"{HERE}/")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert b"scenes" in answer.data
    for part, kind in (("page.css", "text/css"), ("page.js", "text/javascript")):
        assert client.get(f"{HERE}/{part}").mimetype == kind
        assert part.encode() in answer.data


@pytest.mark.parametrize(
    ("mark", "code", "message"),
    [
        ({"key": "nobody", "verdict": "right", "parts": []}, 400, "has no pair 'nobody'"),
        ({"verdict": "right", "parts": []}, 400, "must have key, verdict and parts"),
        ({"key": "x", "verdict": "good", "parts": []}, 400, "verdict must be right, wrong, unsure"),
        ({"key": "x", "verdict": "right", "parts": "all"}, 400, "parts must be some of"),
        ([], 400, "must have key"),
    ],
)
def test_what_is_no_mark_is_refused(client, marks, mark, code, message):
    answer = client.post(f"{HERE}/mark", json=mark)
    assert answer.status_code == code
    assert message in json.loads(answer.data)["error"]
    assert not marks.exists()


def test_a_contradiction_is_refused(client, marks):
    key = state_of(client.get(f"{HERE}/state"))["pair"]["key"]
    mark = {"key": key, "verdict": "right", "parts": ["target_words"]}
    answer = client.post(f"{HERE}/mark", json=mark)
    assert answer.status_code == 400
    assert not marks.exists()


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (lambda client: client.post(f"{HERE}/mark", data="key=x"), 415),
        (lambda client: client.post(f"{HERE}/mark", json={"key": "x" * 20_000}), 413),
        (lambda client: client.get(f"{HERE}/picture/12/source.png"), 400),
        (lambda client: client.get(f"{HERE}/picture/0/elsewhere.png"), 400),
        (lambda client: client.get(f"{HERE}/mark"), 404),
    ],
)
def test_other_requests_are_refused(client, ask, code):
    assert ask(client).status_code == code


def test_a_mark_that_cannot_be_written_is_told(folder, tmp_path):
    (tmp_path / "file").write_text("")
    client = open_client(open_session(folder, tmp_path / "file" / "marks"))
    state = state_of(client.get(f"{HERE}/state"))
    mark = {"key": state["pair"]["key"], "verdict": "right", "parts": []}
    answer = client.post(f"{HERE}/mark", json=mark)
    assert answer.status_code == 500
    assert "cannot write" in json.loads(answer.data)["error"]
    assert state_of(client.get(f"{HERE}/state"))["marked"] == 0


def test_a_pair_without_masks_is_shown_without(tmp_path):
    def bare(row):
        ends = ("", "_area", "_confidence")
        empty = {f"{side}_mask{end}": None for side in ("source", "target") for end in ends}
        return {**row, **empty, "mask_status": "not_computed"}

    folder = write_dataset(tmp_path / "data", pairs=2, rejects=1, change=bare)
    client = open_client(open_session(folder, tmp_path / "marks"))
    pictures = state_of(client.get(f"{HERE}/state"))["pair"]["pictures"]
    assert pictures["source_mask"] is pictures["target_mask"] is None
    assert client.get(f"{HERE}/{pictures['source']}").status_code == 200


def test_large_pictures_are_scaled_down(tmp_path):
    folder = write_dataset(tmp_path / "data", pairs=1, rejects=1, shards=1, side=1400)
    client = open_client(open_session(folder, tmp_path / "marks"))
    answer = client.get(f"{HERE}/picture/0/source.png")
    assert Image.open(io.BytesIO(answer.data), formats=["PNG"]).size == (1024, 1024)
