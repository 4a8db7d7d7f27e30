import pickle

import pytest
from fakes.server import PICTURE

from transforms.fetching.linked_pictures import LinkedPictures
from transforms.fetching.options import FetchOptions
from transforms.fetching.policy import FetchError
from transforms.protocols import SourceError

OPTIONS = FetchOptions(deadline_s=3, backoff_s=0.01, allow_addresses=("127.0.0.0/8",))


@pytest.fixture
def pictures(tmp_path):
    return LinkedPictures(str(tmp_path / "store"), OPTIONS)


def test_a_picture_is_fetched_once_whoever_asks(server, pictures):
    link = server.url("/good")
    assert pictures.open(link) == PICTURE
    assert pickle.loads(pickle.dumps(pictures)).open(link) == PICTURE
    assert pictures.fetch([link, link]) == {link: PICTURE}
    assert server.asked["/good"] == 1


def test_what_cannot_be_had_says_why(server, pictures):
    links = [server.url(path) for path in ("/good", "/not_found", "/noai", "/half")]
    found = pictures.fetch([*links, "file:///etc/passwd"])
    reasons = [each.reason if isinstance(each, FetchError) else "" for each in found.values()]
    assert sorted(reasons) == ["", "forbidden_scheme", "http_404", "opted_out", "truncated"]
    with pytest.raises(SourceError, match="/not_found: http_404"):
        pictures.open(links[1])


def test_networks_are_closed_by_default(server, tmp_path):
    with pytest.raises(SourceError, match="forbidden_address"):
        LinkedPictures(str(tmp_path / "store")).open(server.url("/good"))


def test_a_folder_that_cannot_be_written_is_an_error(server, tmp_path):
    (tmp_path / "store").write_text("a file")
    with pytest.raises(SourceError, match="cannot write"):
        LinkedPictures(str(tmp_path / "store"), OPTIONS).open(server.url("/good"))


def test_there_is_no_list_of_them(pictures):
    with pytest.raises(SourceError, match="cannot be listed"):
        pictures.shards()
