import asyncio
import gzip
import io
import zlib
from dataclasses import replace

import pytest
from fakes.disk import files_of_at_most
from PIL import Image

from transforms.dataset.files import OutputError
from transforms.fetching.asking import ResourceError
from transforms.fetching.bodies import IN_MEMORY_BYTES, Body, Room
from transforms.fetching.fetcher import fetch_links
from transforms.fetching.options import FetchOptions
from transforms.fetching.pixels import count_pixels
from transforms.fetching.policy import FetchError

OPTIONS = FetchOptions(
    deadline_s=20, backoff_s=0.01, allow_addresses=("127.0.0.0/8",), max_bytes=3_000_000
)


def fetch(link, options=OPTIONS, folder=None):
    found = []
    asyncio.run(
        fetch_links(
            [(0, link)], lambda _, outcome: found.append(outcome), options=options, folder=folder
        )
    )
    return found[0]


def test_a_long_body_waits_on_disk_and_leaves_nothing_there(server, tmp_path):
    picture = fetch(server.url("/large"), folder=tmp_path)
    assert len(picture.bytes) > 2 * IN_MEMORY_BYTES
    assert picture.width == 1000
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_full_is_not_the_servers_fault(server, tmp_path):
    with files_of_at_most(IN_MEMORY_BYTES), pytest.raises(OutputError, match="File too large"):
        fetch(server.url("/large"), folder=tmp_path)
    with pytest.raises(OutputError, match=r"cannot write .*nowhere"):
        fetch(server.url("/large"), folder=tmp_path / "nowhere")
    assert fetch(server.url("/good"), folder=tmp_path / "nowhere").width == 40


def test_more_files_than_a_process_may_have_are_not_promised(monkeypatch):
    monkeypatch.setattr("resource.getrlimit", lambda _: (1024, 1024))
    with pytest.raises(ResourceError, match="in_flight 1000 may need 2064 open files, this proc"):
        fetch("http://127.0.0.1/", replace(OPTIONS, in_flight=1000))


def load(data, coding, max_bytes=1000):
    return Body(io.BytesIO(data), len(data), coding).load(max_bytes)


@pytest.mark.parametrize("size", [0, 1, 999, 1000])
def test_bodies_are_decompressed_up_to_the_cap(size):
    data = bytes(size)
    assert load(data, "") == load(gzip.compress(data, mtime=0), "gzip") == data
    assert load(zlib.compress(data), "deflate") == data
    assert load(b"", "gzip") == b""
    assert load(gzip.compress(data, mtime=0) + b"more", "x-gzip") == data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (gzip.compress(bytes(1001), mtime=0), "too_large_file"),
        (gzip.compress(bytes(10**8), mtime=0), "too_large_file"),
        (gzip.compress(bytes(500), mtime=0)[:-9], "truncated"),
        (b"\x1f\x8b", "truncated"),
        (b"picture", "broken_data"),
    ],
)
def test_bodies_that_cannot_be_decompressed(data, reason):
    with pytest.raises(FetchError) as error:
        load(data, "gzip")
    assert error.value.reason == reason


def test_large_ones_wait_for_room_and_are_not_passed():
    order = []

    async def work(room, name, size):
        async with room.take(size):
            order.append(name)
            await asyncio.sleep(0.02)

    async def run():
        room = Room(10)
        sizes = {"a": 6, "b": 4, "c": 99, "d": 1, "e": 9}
        await asyncio.gather(*(work(room, name, size) for name, size in sizes.items()))
        # One that is ended while it waits takes nothing with it.
        waiting = asyncio.create_task(work(room, "f", 10))
        async with room.take(1):
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        await asyncio.wait_for(work(room, "g", 10), 5)

    asyncio.run(run())
    assert order == ["a", "b", "c", "d", "e", "g"]


def encode(kind, mode="RGB", size=(70, 30), **options):
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        encode("PNG"),
        encode("PNG", "P"),
        encode("JPEG"),
        encode("JPEG", progressive=True),
        encode("JPEG", exif=b"Exif\0\0" + bytes(60_000)),
        encode("GIF", "P"),
        encode("WEBP"),
        encode("WEBP", lossless=True),
        encode("WEBP", "RGBA", exif=b"Exif\0\0"),
    ],
)
def test_pixels_are_counted_by_the_header(data):
    assert count_pixels(data[:100_000]) == 70 * 30
    for length in range(0, min(len(data), 40)):
        assert count_pixels(data[:length]) in (None, 70 * 30)


def test_what_is_not_understood_has_no_count():
    for data in (b"", b"BM", encode("TIFF"), b"\xff\xd8" + bytes(50), b"\xff\xd8" + b"\xff" * 900):
        assert count_pixels(data) is None
