"""A search service is asked patiently, believed in nothing, and left with one line."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from fakes.clip_retrieval import knn_server
from fakes.index import DIMENSION, build_index, small_pool, unit_vectors

from indexes.knn_service import KnnService, KnnServiceError, open_service


@pytest.fixture
def server(tmp_path):
    pool = small_pool()
    pictures = {each.reference: each.image for each in pool}
    with knn_server(build_index(tmp_path / "index", [pool]), pictures.__getitem__) as found:
        yield found


def patient(server, **settings):
    settings = {"backoff_s": 0.01, "timeout_s": 5, "retries": 3} | settings
    return KnnService(server.url, "pool", **settings)


def test_neighbours_are_those_of_the_index(server):
    vectors = unit_vectors(4)
    for vector in vectors:
        scores, rows = server.index.search(vector[None], 5)
        found = patient(server).search(vector, 5)
        assert [each.id for each in found] == rows[0].tolist()
        np.testing.assert_allclose([each.similarity for each in found], scores[0], atol=1e-6)
        assert [each.text("caption") for each in found] == [
            server.index.row(row).caption for row in rows[0]
        ]
        assert found[0].text("nothing", "url") == f"{server.url}/pictures/{rows[0][0]}"


@pytest.mark.parametrize(
    "url", ["ftp://a", "localhost:1234", "http://", "http://a:b", "http://a?b", "http://u:p@a", ""]
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(KnnServiceError, match="address"):
        KnnService(url)


@pytest.mark.parametrize(
    ("name", "value"),
    [("timeout_s", 0), ("retries", -1), ("backoff_s", float("nan")), ("most_bytes", 0)],
)
def test_numbers_are_checked(name, value):
    with pytest.raises(KnnServiceError, match=f"{name} must be >=? ?"):
        KnnService("http://a", **{name: value})


def test_a_path_before_the_service_is_kept():
    assert KnnService("https://a.example/b/knn-service/").url == "https://a.example/b"
    assert KnnService("http://a:8000/").url == "http://a:8000"


def test_a_busy_service_is_asked_again(server):
    answers = iter([(503, b""), (429, b""), None])
    server.spoil["/knn-service"] = lambda _: next(answers)
    assert len(patient(server).search(unit_vectors(1)[0], 3)) == 3
    assert server.asked.count("/knn-service") == 3


def test_one_that_stays_busy_is_left_with_one_line(server):
    server.spoil["/knn-service"] = lambda _: (503, b"")
    with pytest.raises(KnnServiceError, match=r"/knn-service answers 503 \(4 attempts\)"):
        patient(server).search(unit_vectors(1)[0], 3)
    assert server.asked.count("/knn-service") == 4


def test_one_that_is_not_there_or_silent_is_left_in_time(server):
    def sleep(_):
        time.sleep(3)

    server.spoil["/knn-service"] = sleep
    began = time.monotonic()
    with pytest.raises(KnnServiceError, match=r"nothing came for 0.2 s \(2 attempts\)"):
        patient(server, timeout_s=0.2, retries=1).search(unit_vectors(1)[0], 3)
    assert time.monotonic() - began < 2
    nobody = replace(patient(server, retries=0), url="http://127.0.0.1:1")
    with pytest.raises(KnnServiceError, match=r"http://127.0.0.1:1: .*refused"):
        nobody.search(unit_vectors(1)[0], 3)


ENTRY = {"id": 1, "similarity": 0.5, "url": "http://a"}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"<html>", "answers no JSON"),
        (b"[" * 100_000, "answers no JSON"),
        (b"\xff\xfe", "answers no JSON"),
        (json.dumps({"a": 1}), "must answer a list"),
        (json.dumps([7]), "must be an object, got 7"),
        (json.dumps([ENTRY | {"id": "x"}]), "id must be a whole number"),
        (json.dumps([ENTRY | {"id": -1}]), "id must be a whole number"),
        (json.dumps([ENTRY | {"id": True}]), "id must be a whole number"),
        (json.dumps([ENTRY | {"similarity": None}]), "similarity must be a finite number"),
        (json.dumps([ENTRY | {"similarity": float("nan")}]), "similarity must be a finite number"),
        (json.dumps([ENTRY | {"image": "x" * 5000}]), "answers more than 4000 bytes"),
    ],
)
def test_what_is_no_answer_is_refused(server, body, error):
    data = body if isinstance(body, bytes) else body.encode()
    server.spoil["/knn-service"] = lambda _: (200, data)
    most = 1_000_000 if data.startswith(b"[[") else 4000
    with pytest.raises(KnnServiceError, match=error) as raised:
        patient(server, most_bytes=most).search(unit_vectors(1)[0], 3)
    assert len(str(raised.value)) < 500
    assert server.asked.count("/knn-service") == 1


def test_more_than_was_asked_for_and_repetitions_are_left_out(server):
    body = [ENTRY | {"id": n % 2, "similarity": n / 10} for n in range(8)]
    server.spoil["/knn-service"] = lambda _: (200, json.dumps(body).encode())
    assert [each.id for each in patient(server).search(unit_vectors(1)[0], 4)] == [1, 0]


def test_columns_are_read_by_what_they_hold(server):
    entry = ENTRY | {"caption": 7, "TEXT": " ", "text": "a chair", "pwatermark": float("nan")}
    server.spoil["/knn-service"] = lambda _: (200, json.dumps([entry]).encode())
    [found] = patient(server).search(unit_vectors(1)[0], 1)
    assert found.text("caption", "TEXT", "text") == "a chair"
    assert found.number("pwatermark") is None
    assert found.number("similarity") is None


def test_a_service_is_looked_at_when_it_is_opened(server):
    assert open_service(server.url, None, dimension=DIMENSION) == KnnService(server.url, "pool")
    assert open_service(server.url, "pool", dimension=DIMENSION).name == "pool"
    with pytest.raises(KnnServiceError, match="has no index 'other', it has pool"):
        open_service(server.url, "other", dimension=DIMENSION)
    with pytest.raises(KnnServiceError, match=f"vectors of dimension {DIMENSION + 1}"):
        open_service(server.url, None, dimension=DIMENSION + 1)
    server.spoil["/indices-list"] = lambda _: (200, b'["a", "b"]')
    with pytest.raises(KnnServiceError, match="has 2 indices, name one of them: a, b"):
        open_service(server.url, None, dimension=DIMENSION)
    server.spoil["/indices-list"] = lambda _: (200, b'{"a": 1}')
    with pytest.raises(KnnServiceError, match="must answer a list of names"):
        open_service(server.url, None, dimension=DIMENSION)


def test_a_service_without_links_or_pictures_is_refused(server):
    server.spoil["/knn-service"] = lambda _: (200, b"[]")
    with pytest.raises(KnnServiceError, match="the index pool is empty"):
        open_service(server.url, None, dimension=DIMENSION)
    entry = {"id": 1, "similarity": 0.5, "image_path": "/a.jpg"}
    server.spoil["/knn-service"] = lambda _: (200, json.dumps([entry]).encode())
    with pytest.raises(KnnServiceError, match=r"no url of its pictures \(it gives image_path\)"):
        open_service(server.url, None, dimension=DIMENSION)
