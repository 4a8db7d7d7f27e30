import pickle
from dataclasses import replace

from fakes import records

from transforms.batches.packing import pack_table, to_bytes, unpack, unpack_tables
from transforms.dataset.shard_contents import tabulate
from transforms.record import Batch, EmbeddedImage
from transforms.write_index import light_embedded, pack_embedded


def test_batches_come_out_as_they_went_in():
    finished, considered = records.batches()
    packed = [to_bytes(batch) for batch in finished + considered]
    assert list(unpack(packed)) == finished + considered


def test_tables_come_out_as_they_went_in():
    _, considered = records.batches()
    tables = [tabulate(batch.records) for batch in considered]
    packed = [pack_table("s0", table) for table in tables]
    assert [shard for shard, _ in packed] == ["s0"] * 3
    assert list(unpack_tables(data for _, data in packed)) == tables
    assert sum(map(len, tables)) > 0


def test_what_an_index_shuffles_holds_no_pictures():
    embedded = tuple(
        EmbeddedImage(source=records.source(n), embedding=b"e" * 16, structure=b"s" * 256)
        for n in range(3)
    )
    batch = Batch("s0", 7, embedded, (records.a_reject(),))
    shard, (_, number, rows, data) = pack_embedded(batch)
    assert (number, rows) == (7, 4)
    (light,) = unpack([data])
    assert (shard, light) == ("s0", light_embedded(batch))
    assert light == replace(
        batch, records=tuple(replace(e, source=replace(e.source, image=None)) for e in embedded)
    )
    assert embedded[0].source.image in pickle.dumps(batch)
    assert embedded[0].source.image not in data
