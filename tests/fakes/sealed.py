"""Data sets made as a build makes them, by Select itself, and a tamperer who seals them again."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

from fakes import records
from indexes.names import NAME, installed_version
from transforms.dataset import files
from transforms.dataset.card import card_text, croissant_data
from transforms.dataset.folder import (
    RUN_SUMMARY,
    prepare_output,
    write_manifest,
    write_run_summary,
)
from transforms.dataset.manifest import Manifest, hash_configuration
from transforms.dataset.schema import COLUMNS, make_schema
from transforms.dataset.shard_contents import count_outcomes, tabulate
from transforms.dataset.shards import (
    SCHEMAS,
    Counts,
    FileReceipt,
    ShardReceipt,
    receipt_file,
)
from transforms.record import Batch, Candidate, EditQuery, Scores, reject_source
from transforms.scores import stored, word_agreement
from transforms.select import SelectionThresholds, select_batch
from transforms.write import write_shard

COUNTS = (12, 0, 6)
EDITS = (
    ("a red apple", "a red pear", "apple", "pear", "apple", "pear"),
    ("a red apple", "a green apple", "red", "green", "red apple", "green apple"),
    ("A red apple", "An orange apple", "red", "orange", "red apple", "orange apple"),
)
"""Caption, edit prompt, the words exchanged, and what is segmented."""


def configuration(method: str = "search") -> dict:
    """What a build says of itself, with the thresholds of Select."""
    thresholds = dataclasses.asdict(SelectionThresholds(structure=0.3))
    rewrite = {"edits": 4, "relations": ["antonym", "co-hyponym"], "seed": 3}
    rewrite["parts_of_speech"] = ["noun", "adjective"]
    options = {"method": method, "rewrite": rewrite, "seed": 3, "edits": 2}
    return {"edits": 2, "thresholds": thresholds, "options": options, "source": {"kind": "fake"}}


def candidate(query: EditQuery, rank: int, number: int) -> Candidate:
    """Place `rank` of an edit's candidates, picture `number` of the pool; every third is wrong."""
    caption = query.caption if (query.source.position + rank) % 3 == 2 else query.edit_prompt
    words = word_agreement(
        edit_prompt=query.edit_prompt,
        source_word=query.source_word,
        target_word=query.target_word,
        caption=caption,
    )
    plain = records.candidate(number)
    scores = Scores(
        retrieval=stored(0.9 - rank / 10),
        rank=rank,
        margin=None if rank == 2 else stored(stored(0.9 - rank / 10) - stored(0.8 - rank / 10)),
        text_image_source=0.25,
        directional=0.5,
        structure=stored(0.2 + 0.2 * ((number + rank) % 4)),
        new_word=words.new_word,
        old_word=words.old_word,
        rest=words.rest,
        source_confidence=stored(0.9),
        target_confidence=stored(0.8),
    )
    return dataclasses.replace(plain, caption=caption, caption_confidence=0.8, scores=scores)


def queries(position: int, shard: str, method: str) -> list[EditQuery]:
    """The edits of a source; every fifth has none, one has no candidates."""
    made = []
    for number, edit in enumerate(EDITS[:1] if method == "mine" else EDITS):
        caption, prompt, old, new, phrase, other = edit
        plain = dataclasses.replace(records.source(position, shard), caption=caption)
        query = EditQuery(
            source=plain,
            number=number,
            caption=caption,
            edit_prompt=prompt,
            source_word=old,
            target_word=new,
            source_phrase=phrase,
            target_phrase=other,
            relation="antonym" if number else "co-hyponym",
            part_of_speech="adjective" if number else "noun",
            source_synset="a.n.01",
            target_synset="b.n.01",
            edit_instruction=f"turn the {phrase} into a {other}",
            alternatives=3,
            method=method,
        )
        first = 1000 + 100 * position + 10 * number
        offered = range(0 if position % 7 == 6 and number == 2 else 3)
        found = tuple(candidate(query, rank, first + rank) for rank in offered)
        made.append(dataclasses.replace(query, candidates=found))
    return made


def finished(shard: str, count: int, method: str, *, masks: bool) -> tuple[list, list]:
    """The batches of a shard as they come out of Segment, and as they went into Select."""
    done, considered = [], []
    thresholds = SelectionThresholds(**configuration()["thresholds"])
    for position in range(count):
        if position % 5 == 4:
            bad = dataclasses.replace(records.source(position, shard), caption=None)
            reject = reject_source(bad, stage="read", reason="not_an_image", detail="not read")
            done.append(Batch(shard, position, (), (reject,)))
            continue
        batch = Batch(shard, position, tuple(queries(position, shard, method)))
        considered.append(batch)
        chosen = select_batch(batch, thresholds, edits=2)
        marked = [
            dataclasses.replace(each, source_mask=records.mask(0.5), target_mask=records.mask(0.25))
            for each in chosen.records
        ]
        done.append(dataclasses.replace(chosen, records=tuple(marked) if masks else chosen.records))
    return done, considered


def build(
    folder: Path, counts=COUNTS, *, method: str = "search", masks: bool = True, summary: bool = True
) -> Manifest:
    """A finished data set in `folder` as honest as any build's."""
    digest = hash_configuration(configuration(method))
    prepare_output(folder, digest)
    receipts = []
    for shard in records.output_shards(*counts):
        done, considered = finished(shard.name, shard.sources, method, masks=masks)
        receipts.append(
            write_shard(
                folder,
                shard,
                done,
                considered=[tabulate(batch.records) for batch in considered],
                open_source=records.FakeSource().open,
                open_target=records.FakeSource().open,
                configuration_hash=digest,
            )
        )
    made = records.manifest(receipts, configuration(method))
    made = dataclasses.replace(made, software={NAME: installed_version()})
    write_manifest(folder, made)
    if summary:
        seconds = {"Read": 0.5, "Write": 1}
        write_run_summary(
            folder, {"seconds": seconds, "workers": 2, "shards": 3, "shards_built": 3}
        )
    return made


def seal(folder: Path, change: Callable[[dict], None] | None = None) -> None:
    """Makes receipts, manifest, card and Croissant file anew for whatever the files hold now.

    `change` may alter the manifest, as plain data, before it is sealed.
    """
    data = json.loads((folder / "manifest.json").read_text())
    for receipt in data["shards"]:
        receipt["files"] = [file_receipt(folder / file["name"]) for file in receipt["files"]]
        receipt["counts"] = count(folder, receipt["number"], receipt["of"])
    if change is not None:
        change(data)
    mark = hash_configuration(data["configuration"])
    shards = [as_receipt({**receipt, "configuration_hash": mark}) for receipt in data["shards"]]
    derived = ("configuration_hash", "counts")
    told = {name: value for name, value in data.items() if name not in derived}
    write_documents(folder, Manifest(**{**told, "shards": tuple(shards)}))


def as_receipt(data: dict) -> ShardReceipt:
    """A receipt of whatever is said in it."""
    made = tuple(FileReceipt(**file) for file in data["files"])
    return ShardReceipt(**{**data, "counts": Counts(**data["counts"]), "files": made})


def write_documents(folder: Path, manifest: Manifest) -> None:
    """All documents that follow from a manifest, the receipts, and the run summary's hashes."""
    for receipt in manifest.shards:
        path = folder / receipt_file(receipt.shard)
        path.write_bytes(files.dump_json(receipt.as_dict()))
    (folder / "manifest.json").write_bytes(files.dump_json(manifest.as_dict()))
    (folder / "README.md").write_text(card_text(manifest))
    (folder / "croissant.json").write_bytes(files.dump_json(croissant_data(manifest)))
    if (folder / RUN_SUMMARY).exists():
        told = json.loads((folder / RUN_SUMMARY).read_text())
        hashes = ("manifest_sha256", "sha256")
        write_run_summary(folder, {name: told[name] for name in told if name not in hashes})


def file_receipt(path: Path) -> dict:
    """What is to be said of the file at `path`."""
    try:
        rows = pq.read_metadata(path).num_rows
    except Exception:  # noqa: BLE001 - a tamperer's file may be anything
        rows = 1
    receipt = FileReceipt(path.name, rows, path.stat().st_size, files.hash_file(path))
    return dataclasses.asdict(receipt)


def count(folder: Path, number: int, of: int) -> dict:
    """The counts of a shard, from its rows where they can be read."""
    names = [f"{kind}-{number:05d}-of-{of:05d}.parquet" for kind in ("pairs", "rejects")]
    pairs = pq.read_table(folder / names[0], columns=["source_position"])
    columns = ["position", "number", "stage", "reason"]
    rejects = pq.read_table(folder / names[1], columns=columns).to_pylist()
    outcomes = [tuple(row[name] for name in columns) for row in rejects]
    found = count_outcomes(pairs["source_position"].to_pylist(), outcomes)
    return dataclasses.asdict(found)


def change_rows(folder: Path, kind: str, change: Callable[[list[dict]], object]) -> None:
    """Lets `change` alter the rows of one table of shard 0, and seals the data set again.

    `change` alters them in place, or gives other rows.
    """
    path = folder / f"{kind}-00000-of-00003.parquet"
    rows = pq.read_table(path).to_pylist()
    changed = change(rows)
    files.write_table(path, SCHEMAS[kind], iter(rows if changed is None else changed))
    seal(folder)


def age(folder: Path, version: int) -> None:
    """Makes of a data set what a program of an earlier schema version would have made of it."""
    for path in sorted(folder.glob("*.parquet")):
        schema = make_schema(COLUMNS[path.name.partition("-")[0]], version=version)
        table = pq.read_table(path).select(schema.names)
        files.write_columns(path, table.cast(schema))

    def change(data: dict) -> None:
        data["schema_version"] = version
        for receipt in data["shards"]:
            receipt["schema_version"] = version

    seal(folder, change)


def vouch(folder: Path, name: str) -> None:
    """Seals what the file `name` of shard 0 is now, its bytes only: no row of it is read."""
    data = json.loads((folder / "manifest.json").read_text())
    for file in data["shards"][0]["files"]:
        if file["name"] == name:
            found = (folder / name).read_bytes()
            file |= {"bytes": len(found), "sha256": hashlib.sha256(found).hexdigest()}
    write_documents(folder, Manifest.from_dict(data))
