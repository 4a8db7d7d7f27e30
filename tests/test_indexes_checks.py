"""Checks of an index folder: what was changed in it is found, and nothing ends in a traceback."""

import copy
import dataclasses
import json
import os
import shutil

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes.index import DESCRIPTION, DIMENSION, MARK, build_index, part_contents, unit_vectors

from indexes.checks import NO_SUMS, check_index
from indexes.folder import open_index
from indexes.index_choice import IndexChoice
from indexes.layout import IndexFolderError, Part
from indexes.life_cycle import begin_index, finish_index
from indexes.parts import PartContents, write_part

PARTS = [
    f"{kind}/{name}_00000.{end}"
    for kind, name, end in (
        ("img_emb", "img_emb", "npy"),
        ("structure", "structure", "npy"),
        ("metadata", "metadata", "parquet"),
    )
]
LOOKUP = ["lookup/metadata.arrow", "lookup/keys.npy", "lookup/captions.npy"]
FILES = [*PARTS, *LOOKUP, "image.index", "image.json"]


@pytest.fixture
def folder(tmp_path, pool):
    """A finished index of three parts, one of them empty, that may be spoilt."""
    return build_index(tmp_path / "index", [pool[:5], [], pool[5:]]).folder


def manifest_of(folder):
    return json.loads((folder / "pairloom.json").read_text())


def seal(folder, **changes):
    """Finishes the folder again over what its parts are now, as somebody would who hides it."""
    finish_index(folder, parts=manifest_of(folder)["parts"])
    content = manifest_of(folder) | changes
    (folder / "pairloom.json").write_text(json.dumps(content))


def problems(folder, *, quick=False):
    found = check_index(folder, quick=quick).problems
    assert all(len(line.splitlines()) == 1 and len(line) < 500 for line in found)
    return found


def test_a_whole_index_has_no_problems(folder):
    for quick in (False, True):
        findings = check_index(folder, quick=quick)
        assert (findings.problems, findings.notes) == ([], [])
        assert (findings.pictures, findings.files) == (12, 14)
    assert open_index(folder).identity


@pytest.mark.parametrize("name", FILES)
def test_one_flipped_bit_is_found_anywhere(folder, name):
    data = (folder / name).read_bytes()
    for place in range(0, len(data), max(1, len(data) // 50)):
        spoilt = bytearray(data)
        spoilt[place] ^= 1
        (folder / name).write_bytes(spoilt)
        for quick in (False, True):
            assert any(name in line and "sha256" in line for line in problems(folder, quick=quick))


@pytest.mark.parametrize("name", [*FILES, "pairloom.json", "COMPLETED"])
def test_a_file_that_is_missing_or_a_link_is_found(folder, name, tmp_path):
    shutil.move(folder / name, tmp_path / "moved")
    assert any("missing" in line or "no pairloom.json" in line for line in problems(folder))
    (folder / name).symlink_to(tmp_path / "moved")
    assert any(f"{name} must be a regular file" in line for line in problems(folder))
    (folder / name).unlink()
    os.mkfifo(folder / name)  # reading it would wait for ever
    assert any(f"{name} must be a regular file" in line for line in problems(folder))


@pytest.mark.parametrize(
    "name",
    [
        "img_emb/img_emb_00003.npy",
        "metadata/metadata_00000 (copy).parquet",
        "notes.txt",
        "metadata/deep/metadata_00000.parquet",
    ],
)
def test_what_is_not_the_indexs_is_found(folder, name):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"more")
    assert any(name.split("/deep")[0] in line for line in problems(folder))


def test_parameters_that_are_no_text_are_one_line(folder):
    about = json.loads((folder / "image.json").read_text()) | {"index_param": [3]}
    (folder / "image.json").write_text(json.dumps(about))
    content = manifest_of(folder)
    content.pop("files")
    (folder / "pairloom.json").write_text(json.dumps(content))
    with pytest.raises(IndexFolderError, match="index_param must be text"):
        open_index(folder).search(unit_vectors(1), 1)


def test_what_may_lie_there(folder):
    for name in (".pairloom.lock", "img_emb/.img_emb_00000.npy.7.partial", "pairloom.json.sig"):
        (folder / name).write_bytes(b"{}")
    assert problems(folder) == []


WEIRD = [None, True, -1, 0, 10**30, 1.5, float("nan"), "", "../../etc/passwd", "\ud800", [], {}]


def places(value, place=()):
    """Where in a description something can be exchanged."""
    if place:
        yield place
    if isinstance(value, dict):
        for name in value:
            yield from places(value[name], (*place, name))


def test_a_description_with_any_value_exchanged_is_refused(folder):
    content = manifest_of(folder)
    chosen = [
        place for place in places(content) if place[1:2] in ((), ("encoder",), ("image.index",))
    ]
    assert len(chosen) == 12
    for place in chosen:
        for weird in WEIRD:
            changed = copy.deepcopy(content)
            inside = changed
            for name in place[:-1]:
                inside = inside[name]
            if (place, weird) in (
                (("files",), None),
                (("index_memory_gib",), 1.5),
                (("index_memory_gib",), 10**30),
            ):
                continue  # as before there were any; a memory that can be
            inside[place[-1]] = weird
            (folder / "pairloom.json").write_text(json.dumps(changed))
            assert problems(folder, quick="files" in place), (place, weird)


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/passwd",
        "img_emb/../../x",
        "img_emb/img_emb_00007.npy",
        "COMPLETED",
        "image.index\n",
        "a\0b",
    ],
)
def test_a_name_that_no_file_of_an_index_has_is_refused(folder, name):
    content = manifest_of(folder)
    content["files"][name] = {"bytes": 1, "sha256": "0" * 64}
    (folder / "pairloom.json").write_text(json.dumps(content))
    assert problems(folder)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "{}",
        "[" * 100_000,
        '{"a":' * 50_000,
        "9" * 5000,
        '{"version": 2, "description": ' + '{"a":' * 3000 + "1" + "}" * 3001,
    ],
    ids=["empty", "cut", "nothing", "deep", "deeper", "long", "described deeply"],
)
def test_a_description_that_is_none_is_one_line(folder, text):
    (folder / "pairloom.json").write_text(text)
    assert len(problems(folder)) == 1
    with pytest.raises(IndexFolderError, match=r"pairloom\.json|description"):
        open_index(folder)


def test_more_parts_than_files_are_not_counted_up(folder):
    (folder / "pairloom.json").write_text(json.dumps(manifest_of(folder) | {"parts": 10**9}))
    assert any("parts" in line or "files must have" in line for line in problems(folder))
    with pytest.raises(IndexFolderError):
        open_index(folder)


def rewrite_vectors(folder, change):
    path = folder / PARTS[0]
    np.save(path, change(np.load(path)))


def rewrite_metadata(folder, column, values):
    path = folder / PARTS[2]
    table = pq.read_table(path)
    place = table.schema.get_field_index(column)
    field = table.schema.field(column)
    found = table[column].to_pylist()
    found[: len(values)] = values
    pq.write_table(table.set_column(place, field, pa.array(found, field.type)), path)


SEALED = {
    "a number that is none": lambda f: rewrite_vectors(f, lambda a: a * np.nan),
    "longer vectors": lambda f: rewrite_vectors(f, lambda a: a * 2),
    "vectors of zeros": lambda f: rewrite_vectors(f, lambda a: a * 0),
    "a key twice": lambda f: rewrite_metadata(f, "key", ["same", "same"]),
    "no key": lambda f: rewrite_metadata(f, "key", [""]),
    "no hash": lambda f: rewrite_metadata(f, "content_sha256", ["00"]),
    "confidence": lambda f: rewrite_metadata(f, "caption_confidence", [1.5]),
    "confidence that is none": lambda f: rewrite_metadata(f, "caption_confidence", [np.nan]),
    "a picture without width": lambda f: rewrite_metadata(f, "width", [0]),
    "a place before the first": lambda f: rewrite_metadata(f, "position", [-1]),
}


@pytest.mark.parametrize("spoil", SEALED.values(), ids=SEALED)
def test_content_that_no_index_has_is_found_though_it_is_sealed_again(folder, spoil):
    spoil(folder)
    seal(folder)
    assert problems(folder, quick=True) == []
    assert problems(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"pictures": 11},
        {"dimension": 8},
        {"counts": {}},
        {"counts": {"pictures": 13}},
        {"description": DESCRIPTION | {"captioner": "another"}},
    ],
)
def test_a_description_that_says_other_things_is_found(folder, changes):
    seal(folder, **changes)
    assert problems(folder)


def test_an_index_from_before_there_were_hashes_is_checked_as_far_as_it_goes(folder):
    content = manifest_of(folder)
    content.pop("files")
    (folder / "pairloom.json").write_text(json.dumps(content))
    findings = check_index(folder)
    assert (findings.problems, findings.notes) == ([], [NO_SUMS])
    assert len(open_index(folder)) == 12
    assert open_index(folder).identity is None
    rewrite_vectors(folder, lambda array: array[::-1])
    assert any("must be those of the parts" in line for line in problems(folder))


@pytest.fixture(params=["Flat", "IVF8,Flat", "IVF8,SQfp16", "IVF8,SQ8", "IVF8,PQ4"])
def larger(request, tmp_path, pool):
    """An index of 600 vectors by each kind of search."""
    begin_index(tmp_path, DESCRIPTION)
    (entry,) = part_contents(pool[:1]).metadata
    contents = PartContents(
        metadata=[dataclasses.replace(entry, key=f"k{number}") for number in range(600)],
        embeddings=unit_vectors(600),
        structures=np.zeros((600, 256), np.uint8),
    )
    write_part(tmp_path, Part(0, 1), contents, fingerprint=MARK)
    finish_index(tmp_path, parts=1, choice=IndexChoice(request.param, ""))
    return tmp_path


def place_of_a_code(path, vectors):
    """Where in an index file row 7 is kept, and in how many bytes."""
    index, data = faiss.read_index(str(path)), path.read_bytes()
    if not isinstance(index, faiss.IndexIVF):
        return data.find(vectors[7].tobytes()), DIMENSION * 4
    lists, size = index.invlists, index.code_size
    for number in range(index.nlist):
        count = lists.list_size(number)
        ids = faiss.rev_swig_ptr(lists.get_ids(number), count)
        codes = faiss.rev_swig_ptr(lists.get_codes(number), count * size)
        if 7 in ids:
            start = data.rfind(codes.tobytes() + ids.tobytes())
            return start + ids.tolist().index(7) * size, size
    raise AssertionError("row 7 is in no list")


def test_a_row_that_is_there_twice_is_found(larger):
    path = larger / "image.index"
    if not isinstance(faiss.read_index(str(path)), faiss.IndexIVF):
        pytest.skip("a flat index has no ids")
    content = manifest_of(larger)
    content.pop("files")
    (larger / "pairloom.json").write_text(json.dumps(content))
    data = path.read_bytes()
    index = faiss.read_index(str(path))
    count = index.invlists.list_size(0)
    ids = faiss.rev_swig_ptr(index.invlists.get_ids(0), count).tobytes()
    place = data.rfind(ids)
    path.write_bytes(data[:place] + ids[8:16] + data[place + 8 :])
    assert any("no other place" in line for line in problems(larger))


def test_neighbours_that_were_exchanged_are_found_without_hashes(larger):
    assert problems(larger) == []
    content = manifest_of(larger)
    content.pop("files")
    (larger / "pairloom.json").write_text(json.dumps(content))
    path = larger / "image.index"
    data = path.read_bytes()
    vectors = unit_vectors(600)
    place, size = place_of_a_code(path, vectors)
    other = bytes(byte ^ 0x55 for byte in data[place : place + size])
    path.write_bytes(data[:place] + other + data[place + size :])
    assert any("of the parts" in line for line in problems(larger))
    path.write_bytes(data[:200])
    assert problems(larger)
    with pytest.raises(IndexFolderError):
        open_index(larger).search(vectors[:1], 1)
