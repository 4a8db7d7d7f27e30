"""A small data set of pairs to train on, its pictures and masks drawn, its files a build's."""

from pathlib import Path

import numpy as np

from fakes import records
from fakes.pictures import encoded
from transforms.dataset.files import ROW_GROUP, dump_json, write_bytes, write_table
from transforms.dataset.folder import prepare_output, write_manifest
from transforms.dataset.manifest import Manifest, load_manifest
from transforms.dataset.rows import pair_to_row
from transforms.dataset.schema import CANDIDATES, PAIRS, REJECTS
from transforms.dataset.shards import Counts, OutputShard, ShardReceipt, receipt_file, shard_file

SIDE = 16
PROMPTS = ("a red pear", "a blue bus", "a small green train")


def drawn_row(number: int, shard: str, *, side: int = SIDE) -> dict:
    """One pair: noise for pictures, rectangles for masks; its quality is its number."""
    rng = np.random.default_rng(number)
    pictures = rng.integers(0, 256, (2, side, side, 3), dtype=np.uint8)
    row = pair_to_row(
        records.example(number, 0, shard),
        input_image=encoded(pictures[0]),
        edited_image=encoded(pictures[1]),
    )
    masks = np.zeros((2, side, side), np.uint8)
    masks[0, 2 : 4 + number % 8, 3:12] = 255
    masks[1, 1:9, 2 : 5 + number % 8] = 255
    return row | {
        "edit_prompt": PROMPTS[number % 3],
        "target_caption": f"a {['red', 'green', 'blue'][number % 3]} bus",
        "target_phrase": PROMPTS[number % 3].split()[-1],
        "source_mask": {"bytes": encoded(masks[0]), "path": None},
        "target_mask": {"bytes": encoded(masks[1]), "path": None},
        "mask_status": "computed",
        "score_directional": float(number % 4),
    }


def write_pairs(
    folder: Path, counts=(7, 0, 9), change=lambda row: row, *, row_group: int = ROW_GROUP
) -> Manifest:
    """A finished data set with so many pairs a shard; `change` may alter a row."""
    made = records.manifest(())
    prepare_output(folder, made.configuration_hash)
    receipts, number = [], 0
    for place, count in enumerate(counts):
        shard = OutputShard(place, len(counts), f"s{place}")
        rows = [change(drawn_row(number + n, shard.name)) for n in range(count)]
        number += count
        tables = (("pairs", PAIRS, rows), ("rejects", REJECTS, []), ("candidates", CANDIDATES, []))
        files = tuple(
            write_table(folder / shard_file(kind, shard), schema, table, row_group=row_group)
            for kind, schema, table in tables
        )
        sums = Counts(sources=count, sources_with_pairs=count, queries=count, pairs=count)
        receipt = ShardReceipt(
            number=place,
            of=len(counts),
            name=shard.name,
            configuration_hash=made.configuration_hash,
            counts=sums,
            files=files,
        )
        write_bytes(folder / receipt_file(shard), dump_json(receipt.as_dict()))
        receipts.append(receipt)
    write_manifest(folder, records.manifest(receipts))
    return load_manifest(folder)
