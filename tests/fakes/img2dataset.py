"""What img2dataset writes, with pictures of noise in it: tars and Parquet files."""

import io
import json
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq

from fakes.command_line import CAPTIONS
from fakes.pictures import picture_bytes


def write_tar(path, samples):
    """A tar of `samples`, each a key and the bytes of its files by extension."""
    with tarfile.open(path, "w") as tar:
        for key, members in samples:
            for extension, data in members.items():
                member = tarfile.TarInfo(f"{key}.{extension}")
                member.size = len(data)
                member.mtime = 1.5  # makes Python write an extended header, as webdataset does
                tar.addfile(member, io.BytesIO(data))
    return path


def write_captioned_tar(path, count=6, **metadata):
    """A tar of captioned pictures; `metadata` is a file's JSON by number, as `n1=b"..."`."""
    samples = []
    for number in range(count):
        told = json.dumps({"caption": CAPTIONS[number % len(CAPTIONS)]}).encode()
        members = {"png": picture_bytes(number), "json": metadata.get(f"n{number}", told)}
        samples.append((f"{number:09d}", members))
    return write_tar(path, samples)


def write_captioned_parquet(path, *, count=6, drop=(), **columns):
    """A Parquet file of captioned pictures; `columns` replace or add whole columns."""
    values = {
        "key": [f"{number:09d}" for number in range(count)],
        "caption": [CAPTIONS[number % len(CAPTIONS)] for number in range(count)],
        "url": [f"https://example.org/{number}.png" for number in range(count)],
        "status": ["success"] * count,
        "error_message": [None] * count,
        "png": [picture_bytes(number) for number in range(count)],
    }
    values |= columns
    table = pa.table({name: values[name] for name in values if name not in drop})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=2)
    return path
