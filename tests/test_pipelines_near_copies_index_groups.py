"""The groups of an index: of near-copies, the same for any number of workers, and checked."""

import dataclasses
import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes import copies
from fakes.command_line import run

from indexes.checks import check_index
from indexes.checksums import sum_file
from indexes.folder import open_index
from indexes.groups import GROUPS_FILE, GROUPS_MANIFEST, GROUPS_TABLE, open_groups
from indexes.layout import read_json, write_json
from pipelines.index.job import run_index
from pipelines.index.plan import IndexPlan
from pipelines.near_copies.index_groups import ChangedPictureError, group_index
from pipelines.running.execution import Execution
from transforms.near_copies.rule import NearCopyRule
from transforms.presets import load_preset
from transforms.protocols import SourceShard

ORIGINALS = 18


@dataclasses.dataclass(frozen=True)
class CopiesSource:
    """The pictures of `fakes.copies` in shards of seven; `other` ones in place of some."""

    originals: int = ORIGINALS
    other: tuple[int, ...] = ()

    def shards(self):
        count = len(copies.Copies(self.originals).pictures())
        return [
            SourceShard(f"{start:05d}", "copies", start, min(start + 7, count))
            for start in range(0, count, 7)
        ]

    def read(self, shard):
        pictures = copies.Copies(self.originals).pictures()
        for position in range(shard.start, shard.stop):
            data = pictures[position][1]
            if position in self.other:
                data = copies.recompress(data, 20)
            yield copies.picture(
                f"p{position}", position, shard.name, data, alt_text=f"picture {position}"
            )

    def open(self, reference):
        return copies.Copies(self.originals).pictures()[int(reference[1:])][1]

    def describe(self):
        return {"kind": "copies", "originals": self.originals}


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("index") / "index"
    plan = IndexPlan(
        source=CopiesSource(),
        preset=load_preset("stilllife"),
        folder=str(folder),
        captions="source",
    )
    run_index(plan, Execution())
    group_index(folder, CopiesSource(), Execution())
    return folder


def test_copies_share_a_group_that_is_named_by_the_least_hash(index):
    groups = open_groups(index)
    opened = open_index(index)
    ids = groups.of(range(len(opened)))
    shown = [original for original, _ in copies.Copies(ORIGINALS).pictures()]
    of_original = {original: set() for original in shown}
    for original, found in zip(shown, ids, strict=True):
        of_original[original].add(found)
    assert all(len(found) == 1 for found in of_original.values())
    assert len(set(ids)) == ORIGINALS
    least = min(row.content_sha256 for row in opened.rows([0, ORIGINALS]))
    assert ids[0] == ids[ORIGINALS] == least[:16]


def test_the_index_is_whole_with_its_groups_and_says_how_they_were_made(index):
    assert check_index(index).problems == []
    about = read_json(index / GROUPS_MANIFEST)
    assert about["groups"] == ORIGINALS
    assert about["rule"] == dataclasses.asdict(NearCopyRule())
    assert not list(index.glob(".near-copies*"))


def test_two_workers_give_the_same_bytes(index, tmp_path):
    plan = IndexPlan(
        source=CopiesSource(),
        preset=load_preset("stilllife"),
        folder=str(tmp_path / "index"),
        captions="source",
    )
    run_index(plan, Execution())
    before = {path: path.read_bytes() for path in (tmp_path / "index").rglob("*") if path.is_file()}
    group_index(tmp_path / "index", CopiesSource(), Execution(workers=2, pictures_a_unit=1))
    for name in (GROUPS_FILE, GROUPS_TABLE, GROUPS_MANIFEST):
        assert (tmp_path / "index" / name).read_bytes() == (index / name).read_bytes()
    assert all(path.read_bytes() == data for path, data in before.items())


def test_who_reads_the_metadata_finds_the_group_of_each_key(index):
    opened = open_index(index)
    ids = open_groups(index).of(range(len(opened)))
    parts = [pq.read_table(path) for path in sorted((index / "metadata").glob("*.parquet"))]
    table = pq.read_table(index / GROUPS_TABLE)
    assert table.column_names == ["key", "group"]
    joined = pa.concat_tables(parts).join(table, "key", join_type="inner").sort_by("key")
    assert dict(zip(joined["key"].to_pylist(), joined["group"].to_pylist(), strict=True)) == dict(
        zip(opened.keys(), ids, strict=True)
    )
    assert opened.groups([ORIGINALS, 3, 0]) == [ids[ORIGINALS], ids[3], ids[0]]
    for row in (-1, len(opened)):
        with pytest.raises(IndexError, match="rows must be in"):
            opened.groups([row])


def test_the_index_tells_of_groups_that_were_made_after_it_was_opened(tmp_path):
    plan = IndexPlan(
        source=CopiesSource(6),
        preset=load_preset("stilllife"),
        folder=str(tmp_path / "index"),
        captions="source",
    )
    run_index(plan, Execution())
    opened = open_index(tmp_path / "index")
    assert opened.groups([0]) is None
    group_index(tmp_path / "index", CopiesSource(6), Execution())
    assert opened.groups([0, 1]) == open_groups(tmp_path / "index").of([0, 1])


def test_groups_of_an_earlier_version_get_their_table(index):
    about, before = read_json(index / GROUPS_MANIFEST), (index / GROUPS_TABLE).read_bytes()
    earlier = {name: value for name, value in about.items() if name != "table"}
    write_json(index / GROUPS_MANIFEST, earlier)
    (index / GROUPS_TABLE).unlink()
    assert check_index(index).problems == []
    assert open_index(index).groups([0]) == open_groups(index).of([0])
    assert group_index(index, None, Execution()) == about
    assert (index / GROUPS_TABLE).read_bytes() == before


def other_groups(table):
    return table.set_column(1, table.schema.field("group"), table["group"].take(pa.array([0] * 24)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (other_groups, "groups/groups.parquet: row 1 must be ('p1', "),
        (lambda table: table.slice(1), "groups/groups.parquet must have 24 rows of key and group"),
        (lambda table: table.select(["key"]), "must have 24 rows of key and group"),
    ],
)
def test_a_table_that_says_something_else_is_told(index, change, said):
    about, before = read_json(index / GROUPS_MANIFEST), (index / GROUPS_TABLE).read_bytes()
    try:
        pq.write_table(change(pq.read_table(index / GROUPS_TABLE)), index / GROUPS_TABLE)
        [problem] = check_index(index).problems
        assert problem == "groups/groups.parquet must have the sums in groups/groups.json"
        sums = vars(sum_file(index / GROUPS_TABLE))
        write_json(index / GROUPS_MANIFEST, about | {"table": sums})
        [problem] = check_index(index).problems
        assert said in problem
    finally:
        (index / GROUPS_TABLE).write_bytes(before)
        write_json(index / GROUPS_MANIFEST, about)


def test_groups_that_are_there_are_not_made_again(index):
    about = read_json(index / GROUPS_MANIFEST)
    assert group_index(index, None, Execution()) == about


def test_a_source_that_has_changed_is_seen(index):
    rule = NearCopyRule(sure_bits=3)
    for path in index.glob("groups/fingerprints_*"):
        path.unlink()
    with pytest.raises(ChangedPictureError, match="p2 is in the index and no longer"):
        group_index(index, CopiesSource(other=(2,)), Execution(), rule)
    group_index(index, CopiesSource(), Execution())


def test_damage_is_told(index, tmp_path):
    data = (index / GROUPS_FILE).read_bytes()
    try:
        (index / GROUPS_FILE).write_bytes(data[:-1] + b"0")
        [problem] = check_index(index).problems
        assert problem.startswith("groups/groups.npy must have the sha256")
    finally:
        (index / GROUPS_FILE).write_bytes(data)


def test_groups_of_another_index_are_none(index):
    about = read_json(index / GROUPS_MANIFEST)
    try:
        write_json(index / GROUPS_MANIFEST, about | {"index": hashlib.sha256(b"").hexdigest()})
        assert open_groups(index) is None
    finally:
        write_json(index / GROUPS_MANIFEST, about)
    assert isinstance(open_groups(index).ids, np.ndarray)


def test_the_command_makes_groups_where_it_is_asked(tmp_path):
    (tmp_path / "source.yaml").write_text("{kind: still-life, count: 12, seed: 4, told: true}\n")
    words = ("index", tmp_path / "source.yaml", "--captions", "source", "--out", tmp_path / "index")
    done = run(*words, "--json")
    assert done.code == 0
    assert "groups" not in done.counts
    assert not (tmp_path / "index" / "groups").exists()
    done = run(*words, "--near-copies", "--json")
    assert done.code == 0
    assert done.counts["groups"] == 12
    assert done.counts["parts_skipped"] == done.counts["parts"]
