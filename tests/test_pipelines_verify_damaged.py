"""Shards that were damaged and sealed again: whatever pyarrow says of them, lines come out."""

import random
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes import sealed

from pipelines.verify.dataset import find_problems
from transforms.dataset.schema import REJECTS

KINDS = ("pairs", "rejects", "candidates")
MUTATIONS = 12


@pytest.fixture
def folder(honest_dataset, tmp_path):
    return shutil.copytree(honest_dataset, tmp_path / "pairs")


def mutated(data: bytes, drawn: random.Random) -> bytes:
    """`data` with a bit, a byte of the footer, a run of bytes, or its end changed."""
    new = bytearray(data)
    place = drawn.randrange(len(new))
    match drawn.randrange(4):
        case 0:
            new[place] ^= 1 << drawn.randrange(8)
        case 1:
            length = int.from_bytes(data[-8:-4], "little")
            new[-8 - drawn.randrange(1, length)] = drawn.randrange(256)
        case 2:
            del new[place : place + drawn.randrange(1, 50)]
        case 3:
            new[place : place + 8] = drawn.randbytes(8)
    return bytes(new)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_shard_ends_in_lines(folder, kind):
    name = f"{kind}-00000-of-00003.parquet"
    before = (folder / name).read_bytes()
    drawn = random.Random(kind)
    found = 0
    for _ in range(MUTATIONS):
        (folder / name).write_bytes(mutated(before, drawn))
        sealed.vouch(folder, name)
        problems = find_problems(folder).problems
        assert all(line.isprintable() and len(line) < 500 for line in problems)
        found += bool(problems)
    # What is left are bytes that say nothing, such as indexes of pages and the writer's name.
    assert found > MUTATIONS / 2


def test_a_shard_that_claims_to_unpack_to_gigabytes_is_not_read(folder):
    name = "rejects-00000-of-00003.parquet"
    text = pa.array(["x" * 2**20] * 100)
    columns = {each: pa.nulls(100, REJECTS.field(each).type) for each in REJECTS.names}
    columns |= {"stage": pa.array(["read"] * 100), "reason": pa.array(["bad"] * 100)}
    table = pa.table({**columns, "detail": text, "caption": text}, schema=REJECTS)
    pq.write_table(table, folder / name, compression="zstd", use_dictionary=False)
    assert (folder / name).stat().st_size < 10**6

    def change(manifest):
        manifest["shards"][0]["files"][1]["rows"] = 100

    sealed.seal(folder, change)
    problems = find_problems(folder).problems
    assert any("a row group of this file must claim at most" in line for line in problems)
