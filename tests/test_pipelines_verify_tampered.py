"""A tamperer with our own code changes something and seals the data set again: it is found."""

import hashlib
import io
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes import records, sealed
from fakes.pictures import encoded
from PIL import Image

from pipelines.verify.dataset import find_problems


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("honest") / "pairs"
    sealed.build(folder)
    return folder


@pytest.fixture
def folder(honest, tmp_path):
    return shutil.copytree(honest, tmp_path / "pairs")


@pytest.mark.parametrize("method", ["search", "mine"])
@pytest.mark.parametrize("masks", [True, False])
def test_honest_data_sets_are_whole(tmp_path, method, masks):
    sealed.build(tmp_path, (40, 0, 6), method=method, masks=masks, summary=masks)
    assert find_problems(tmp_path).problems == []


def test_a_data_set_without_any_pair_is_whole(tmp_path):
    sealed.build(tmp_path, (0, 0, 0))
    assert find_problems(tmp_path).problems == []


def test_sealing_again_what_was_not_changed_changes_nothing(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    sealed.seal(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    sealed.change_rows(folder, "pairs", put(score_rest=1.5))
    assert find_problems(folder, quick=True).problems == []


def put(place=0, **values):
    """Changes some values of one row."""
    return lambda rows: rows[place].update(values)


def put_candidate(candidate=0, **values):
    """Changes some values of one candidate of the first edit."""
    return lambda rows: rows[0]["candidates"][candidate].update(values)


def picture(data):
    return {"bytes": data, "path": None}


def mask_of(pixels):
    return picture(encoded(np.asarray(pixels, np.uint8)))


def half(value=255, size=records.SIZE):
    pixels = np.zeros((size, size), np.uint8)
    pixels[: size // 2] = value
    return pixels


def png_header_of(width, height):
    data = bytearray(encoded(half()))
    data[16:24] = width.to_bytes(4) + height.to_bytes(4)
    return picture(bytes(data))


def swap_picture(rows):
    """Another picture with its own hash: right by itself, and of another edit."""
    data = records.picture(77)
    rows[0] |= {"edited_image": picture(data), "target_sha256": hashlib.sha256(data).hexdigest()}


def other_format(rows):
    out = io.BytesIO()
    Image.new("RGB", (records.SIZE, records.SIZE)).save(out, "GIF")
    data = out.getvalue()
    rows[0] |= {"input_image": picture(data), "source_sha256": hashlib.sha256(data).hexdigest()}


def other_size(rows):
    data = encoded(np.zeros((9, 9, 3), np.uint8))
    rows[0] |= {"input_image": picture(data), "source_sha256": hashlib.sha256(data).hexdigest()}


def target_is_source(rows):
    rows[0] |= {
        "edited_image": rows[0]["input_image"],
        "target_sha256": rows[0]["source_sha256"],
        "target_key": rows[0]["source_key"],
    }


def twice(rows):
    return [rows[0], rows[0] | {"number": 1, "key": rows[0]["source_key"] + "-1"}, *rows[2:]]


def to_second_candidate(rows):
    """The pair with the candidate that select did not take, in all its columns."""
    other = "pool-1002"
    assert rows[0]["target_key"] != other
    data = records.picture(1002)
    rows[0] |= {
        "target_key": other,
        "target_row": 1002,
        "target_reference": "picture-1002",
        "edited_image": picture(data),
        "target_sha256": hashlib.sha256(data).hexdigest(),
    }


def raise_structure(rows):
    for each in rows[0]["candidates"]:
        each["score_structure"] = 0.25


PAIRS = {
    "score above its range": (put(score_rest=1.5), "score_rest must be in [0, 1], got 1.5"),
    "score NaN": (put(score_structure=float("nan")), "score_structure must be in [0, 1], got nan"),
    "score infinite": (put(score_retrieval=float("inf")), "score_retrieval must be in [-1, 1]"),
    "score that is no truth": (put(score_new_word=0.5), "score_new_word must be 0.0 or 1.0"),
    "negative rank": (put(score_rank=-1), "score_rank must be >= 0"),
    "other relation": (put(relation="synonym"), "relation must be antonym or co-hyponym"),
    "other part of speech": (put(part_of_speech="verb"), "part_of_speech must be noun or adj"),
    "other method": (put(method="guess"), "method must be search or mine"),
    "other mask status": (put(mask_status="maybe"), "mask_status must be computed or not_comp"),
    "null key": (put(key=None), "key must not be null"),
    "key of another": (put(key="s0-key-0-7"), "key must be source_key, hyphen, number"),
    "hash in capitals": (put(source_sha256="A" * 64), "source_sha256 must be a SHA-256"),
    "no synset": (put(target_synset="pear"), "target_synset must be the name of a synset"),
    "negative position": (put(source_position=-4), "source_position must be >= 0"),
    "width of no picture": (put(source_width=0), "source_width must be in [1, 1e+06] pixels"),
    "width of another": (put(source_width=48), "its size must be 48 x 24, got (24, 24)"),
    "blank caption": (put(caption="  "), "caption must be not blank"),
    "huge text": (put(target_word="x" * 20_000), "target_word must have at most 10000 bytes"),
    "script for an address": (put(source_url=" JavaScript:alert(1)"), "source_url must be an addr"),
    "licence with ESC": (put(target_licence="CC0\x1b[2J"), "target_licence must be without cont"),
    "watermark NaN": (put(target_watermark=float("nan")), "target_watermark must be finite"),
    "confidence of none": (put(source_caption_confidence=None), "must be source_caption_confid"),
    "no picture": (put(input_image=None), "input_image: there is no picture"),
    "path for a picture": (
        put(edited_image={"bytes": b"", "path": "/etc/passwd"}),
        "edited_image: it must hold a picture and no path",
    ),
    "bytes of another": (
        put(input_image=picture(records.picture(5))),
        "input_image: its SHA-256 must be ",
    ),
    "a GIF": (other_format, "input_image: it must be a JPEG, PNG or WebP file"),
    "a picture of another size": (other_size, "its size must be 24 x 24, got (9, 9)"),
    "a swapped picture": (swap_picture, "target_sha256 of the pair must be that of its candidate"),
    "the source as target": (target_is_source, "must be another picture than the source, has its"),
    "mask of another size": (put(source_mask=mask_of(half(size=9))), "its mask must be of size"),
    "mask that claims much": (
        put(source_mask=png_header_of(20_000, 20_000)),
        "its mask must be of size (24, 24), its picture's, got (20000, 20000)",
    ),
    "mask in grey": (put(source_mask=mask_of(half(200))), "its mask must be 0 or 255 everywhere"),
    "mask in colour": (put(source_mask=picture(records.picture(3))), "single-channel PNG"),
    "mask that is no file": (put(target_mask=picture(b"no")), "mask cannot be decoded"),
    "area of another mask": (put(source_mask_area=0.75), "its mask's area must be 0.5"),
    "confidence of nothing": (
        put(source_mask=mask_of(half(0)), source_mask_area=0.0),
        "the confidence of an empty mask must be 0, got 0.75",
    ),
    "mask without an area": (put(target_mask_area=None), "must be there exactly if mask_status"),
    "word of no caption": (put(source_word="plum"), "edit_prompt must be caption with source_word"),
    "prompt of another edit": (put(edit_prompt="a red pear tree"), "edit_prompt must be caption"),
    "phrase of no text": (put(target_phrase="ripe pear"), "target_phrase must be made of words"),
    "instruction of another": (put(edit_instruction="add a plum"), "edit_instruction must have"),
    "other instruction": (
        put(edit_instruction="make it a pear"),
        "edit_instruction of the pair must be that of its edit among the candidates",
    ),
    "other caption": (
        put(caption="a blue apple", edit_prompt="a blue pear"),
        "caption of the pair must be that of its edit among the candidates",
    ),
    "better score": (put(score_structure=0.9), "score_structure of the pair must be that of its"),
    "other licence": (put(target_licence="CC0"), "target_licence of the pair must be that of its"),
    "another candidate": (to_second_candidate, "the target must be the one that select chooses"),
    "one of no candidates": (put(target_key="pool-9"), "it is no candidate, got 'pool-9'"),
    "row of another shard": (put(source_shard="s1"), "rows must be of the source shard 's0'"),
    "other order": (lambda rows: rows[::-1], "pairs must be sorted by position and edit number"),
    "a pair twice": (twice, "no pair may occur twice"),
    "a pair left out": (lambda rows: rows[1:], "must end in one pair or one reject"),
}
REJECTS = {
    "no reason": (put(reason="Too Far!"), "must be a short lower-case identifier, got 'Too Far!'"),
    "stage of no name": (put(stage=""), "counts.rejects must be a short lower-case identifier"),
    "another reason": (
        put(reason="rest_differs"),
        "reason must be enough_edits, what select gives, got 'rest_differs'",
    ),
    "another candidate": (put(target_key="pool-1"), "target_key of the reject must be 'pool-"),
    "better score": (put(score_structure=0.01), "score_structure of the reject must be that of"),
    "text of another": (put(edit_prompt="a plum"), "key and texts of the reject must be those"),
    "key of another": (put(key="s0-key-9"), "the source at position 0 must have one key"),
    "a stage before": (put(stage="write", target_key=None), "must be rejected by select"),
    "another detail": (put(detail="it looked bad"), "detail of the reject must be 'the source has"),
    "a picture left out": (
        lambda rows: [row for row in rows if row["position"] != 4],
        "every position from its first to its last must have a pair or a reject",
    ),
    "a reject left out": (lambda rows: rows[1:], "must end in one pair or one reject"),
    "other order": (lambda rows: rows[::-1], "rejects must be sorted by position"),
}
CANDIDATES = {
    "score NaN": (put_candidate(score_rest=float("nan")), "candidates.score_rest must be in [0"),
    "no hash": (put_candidate(sha256="0"), "candidates.sha256 must be a SHA-256"),
    "a null candidate": (lambda rows: rows[0]["candidates"].append(None), "a candidate must not"),
    "null for all": (put(candidates=None), "candidates must not be null"),
    "score of other texts": (put_candidate(score_new_word=0.0), "score_new_word must be 1, what"),
    "other words": (put_candidate(caption="a red plum"), "what the texts give"),
    "other rank": (put_candidate(score_rank=2), "candidates must be numbered by score_rank"),
    "other margin": (put_candidate(score_margin=0.5), "score_margin must be score_retrieval less"),
    "other order": (
        put_candidate(score_retrieval=0.1, score_margin=0.0),
        "candidates must be in the order of score_retrieval",
    ),
    "a candidate twice": (put_candidate(row=1001), "no candidate may occur twice"),
    "the source among them": (put_candidate(key="s0-key-0"), "no candidate may be the source"),
    "below the threshold": (raise_structure, "by the manifest's thresholds select gives structure"),
    "candidates left out": (put(candidates=[]), "select gives no_candidate"),
    "an edit left out": (lambda rows: rows[1:], "every pair must be an edit among the candidates"),
    "a method not asked for": (put(method="mine"), "method must be search, as the configuration"),
    "a number too great": (put(2, number=5, key="s0-key-0-5"), "number must be below 4"),
    "other order of edits": (
        lambda rows: [rows[1], rows[0], *rows[2:]],
        "candidates must be sorted by position and edit number",
    ),
}
TAMPERINGS = [
    pytest.param(kind, change, expected, id=f"{kind}: {name}")
    for kind, table in (("pairs", PAIRS), ("rejects", REJECTS), ("candidates", CANDIDATES))
    for name, (change, expected) in table.items()
]


@pytest.mark.parametrize(("kind", "change", "expected"), TAMPERINGS)
def test_a_changed_row_is_found_though_all_was_sealed_again(folder, kind, change, expected):
    sealed.change_rows(folder, kind, change)
    found = find_problems(folder)
    assert any(expected in line for line in found.problems), found.problems
    assert all(line.isprintable() for line in found.problems)


def test_many_problems_of_a_kind_are_counted_and_not_all_told(tmp_path):
    folder = tmp_path / "pairs"
    sealed.build(folder, (30, 0, 6))

    def spoil(rows):
        for number, row in enumerate(rows):
            row["score_rest"] = 2.0 + number

    sealed.change_rows(folder, "pairs", spoil)
    found = find_problems(folder)
    assert len(found.problems) == 21
    assert found.problems[-1] == f"... and {found.total - 20} more: score_rest must be in [#, #]"


def rewrite(folder, kind, change, **options):
    """Writes a table of shard 0 anew as `change` has it, not as the program would."""
    path = folder / f"{kind}-00000-of-00003.parquet"
    pq.write_table(change(pq.read_table(path)), path, **options)
    sealed.seal(folder)


@pytest.mark.parametrize(
    ("change", "options", "expected"),
    [
        (lambda table: table.drop_columns("detail"), {}, "columns must be those of the schema"),
        (lambda table: table, {"row_group_size": 7}, "a row group must have 100 rows"),
        (
            lambda table: table.replace_schema_metadata({"pairloom": "{}"}),
            {"row_group_size": 100},
            "what the file says of itself must be that of schema version 4",
        ),
        (
            lambda table: table.set_column(
                table.schema.get_field_index("detail"),
                "detail",
                pa.array([b"\xff"] * len(table)).cast(pa.binary()).view(pa.string()),
            ),
            {"row_group_size": 100},
            "cannot be read: ",
        ),
    ],
)
def test_a_file_in_another_form_is_found(folder, change, options, expected):
    rewrite(folder, "rejects", change, **options)
    problems = find_problems(folder).problems
    assert any(expected in line for line in problems), problems
