import base64
import hashlib

import pytest

from indexes.storage.store_path import StorePath
from transforms.pictures.limits import PictureLimits
from transforms.sources.stored_content import find_stored_duplicates

CONTENTS = {"a": b"one", "b": b"two", "c": b"one", "d": b"three", "e": b"two", "f": b"", "g": b""}
DUPLICATES = {2: 0, 4: 1}
LIMITS = PictureLimits()


def md5(data):
    return hashlib.md5(data)


TAGS = {
    "the MD5": lambda data: {"ETag": f'"{md5(data).hexdigest()}"'},
    "of another thing": lambda data: {"ETag": f'"{md5(data + b"salt").hexdigest()}"'},
    "of parts": lambda data: {"ETag": f'"{md5(data).hexdigest()}-2"'},
    "as Google's": lambda data: {"md5Hash": base64.b64encode(md5(data).digest()).decode()},
    "none": lambda data: {},
}


@pytest.fixture
def root(stored_folder):
    for name, data in CONTENTS.items():
        (stored_folder / name).write_bytes(data)
    return stored_folder


@pytest.mark.parametrize("kind", TAGS)
def test_the_same_content_is_found_whatever_the_store_says(root, kind):
    infos = [{"size": len(data), **TAGS[kind](data)} for data in CONTENTS.values()]
    assert find_stored_duplicates(root, list(CONTENTS), infos, LIMITS) == DUPLICATES


def test_what_the_listing_says_is_not_read(root, monkeypatch):
    infos = [{"size": len(data), **TAGS["as Google's"](data)} for data in CONTENTS.values()]
    monkeypatch.setattr(StorePath, "read_bytes", lambda path, most=None: pytest.fail("it was read"))
    assert find_stored_duplicates(root, list(CONTENTS), infos, LIMITS) == DUPLICATES


def test_what_is_too_large_is_not_compared(root):
    infos = [{"size": len(data), **TAGS["the MD5"](data)} for data in CONTENTS.values()]
    few = PictureLimits(max_bytes=2)
    assert find_stored_duplicates(root, list(CONTENTS), infos, few) == {}
