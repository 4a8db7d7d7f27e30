"""Limits that a source sets hold to the end: what Read lets in, no later stage turns away."""

import io

import pyarrow.parquet as pq
import pytest
import yaml
from fakes import hostile_pictures as hostile
from fakes.command_line import (
    CAPTIONS,
    add_picture,
    build_command,
    index_command,
    preset_file,
    rejects_of,
    run,
    verify,
)
from fakes.pictures import encoded, noise, picture_bytes
from PIL import Image

from pairloom import open_pairs

LIMITS = {"max_bytes": 5000, "min_side": 4, "max_aspect": 80, "max_scans": 140}
PICTURES = {
    "tiny.png": encoded(noise(1, (4, 4))),
    "long.png": encoded(Image.linear_gradient("L").resize((1200, 16))),
    "tall.jpg": encoded(Image.linear_gradient("L").resize((16, 1200)), "JPEG", quality=30),
    "scans.jpg": hostile.many_scans(125, size=(40, 30)),
    "turned.jpg": hostile.turned(noise(3, (60, 50)), 6, quality=60),
    "plain.png": encoded(noise(4, (30, 20))),
}
"""Every one but the last is beyond the defaults, or becomes so: the turned one as PNG, by bytes."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder, a source file beside it, and the index and the data set made of that."""
    root = tmp_path_factory.mktemp("limits")
    (root / "pictures").mkdir()
    for (name, data), caption in zip(PICTURES.items(), CAPTIONS, strict=True):
        assert len(data) <= LIMITS["max_bytes"], name
        add_picture(root / "pictures", name, data, caption)
    source = root / "wide.yaml"
    source.write_text(yaml.safe_dump({"kind": "folder", "path": "pictures", "limits": LIMITS}))
    index = index_command(source, root / "index")
    built = build_command(source, root / "pairs", index=root / "index")
    return root, index, built


def test_the_defaults_would_refuse_them(made, tmp_path):
    root, _, _ = made
    assert index_command(root / "pictures", tmp_path / "index").counts["rejects"] == {
        "read: too_elongated": 2,
        "read: too_many_scans": 1,
        "read: too_small": 1,
    }


def test_index_and_build_take_all_that_read_took(made):
    root, index, built = made
    assert (index.code, built.code) == (0, 0), index.err + built.err
    assert index.counts["indexed"] == len(PICTURES)
    assert index.counts["rejects"] == {}
    assert built.counts["sources_with_pairs"] == len(PICTURES)
    assert {row["stage"] for row in rejects_of(root / "pairs")} <= {"select"}


def test_the_captioner_takes_them_too(made, tmp_path):
    root, _, _ = made
    words = ("index", root / "wide.yaml", "--out", tmp_path / "index", "--preset", preset_file())
    outcome = run(*words, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.counts["rejects"] == {}


def test_verify_and_report_take_them(made, tmp_path):
    root, _, _ = made
    assert verify(root / "pairs").code == 0
    outcome = run("report", root / "pairs", "--out", tmp_path / "page.html")
    assert outcome.code == 0, outcome.err
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("data:image/") >= 4 * len(PICTURES)


def test_the_reader_takes_them_with_the_limits_of_the_manifest(made):
    root, _, _ = made
    pairs = open_pairs(root / "pairs")
    assert pairs.limits.max_scans == 140
    sizes = {pair.source_image.size for pair in pairs}
    assert sizes == {(4, 4), (1200, 16), (16, 1200), (40, 30), (50, 60), (30, 20)}
    for pair in (*pairs[:], pairs[-1], *pairs):
        assert pair.source_mask.size == pair.source_image.size
        assert pair.target_mask.size == pair.pseudo_target_image.size


def test_training_and_editing_take_them(made):
    from editing.training.pair_settings import PairSettings
    from editing.training.pair_stream import PairStream
    from pipelines.edit_images.job import list_shards
    from pipelines.edit_images.shards import read_tasks
    from transforms.dataset.manifest import load_manifest
    from transforms.pictures.decoding import decode_stored

    folder = made[0] / "pairs"
    settings = PairSettings()
    stream = PairStream(folder, load_manifest(folder), settings, size=16, batch_size=6)
    assert next(iter(stream.batches())).source.shape == (6, 3, 16, 16)
    for shard in list_shards(folder, with_pseudo_target=True):
        for group in shard.groups:
            for task in read_tasks(group).records:
                for data in (task.image, task.pseudo_target):
                    assert decode_stored(data, task.limits).mode == "RGB"


def test_a_reader_of_a_data_set_opens_no_other_kind_of_file(made):
    """Formats that Pillow hands on to other programs stand neither for pictures nor for masks."""
    from transforms.dataset.reader import decode_picture, decode_row_mask
    from transforms.dataset.tables import DatasetError

    [row] = pq.read_table(next((made[0] / "pairs").glob("pairs-*.parquet"))).slice(0, 1).to_pylist()
    buffer = io.BytesIO()
    noise(5, (30, 20)).save(buffer, "EPS")
    for data in (
        buffer.getvalue(),
        picture_bytes(6, file_format="GIF"),
        b"%!PS-Adobe-3.0 EPSF-3.0",
    ):
        spoilt = row | {"input_image": {"bytes": data}, "source_mask": {"bytes": data}}
        with pytest.raises(DatasetError, match=r"unsupported_format|not_an_image"):
            decode_picture(spoilt, "input_image")
        with pytest.raises(DatasetError, match="is not a mask"):
            decode_row_mask(spoilt, "source_mask", (30, 20))


def test_a_mask_that_claims_a_large_size_is_refused_by_its_header():
    from transforms.pictures.masks import MaskError, decode_mask

    data = hostile.png(size=(32, 32), colour=0)
    claims = data[:16] + (20_000).to_bytes(4, "big") * 2 + data[24:]
    with pytest.raises(MaskError, match=r"of size \(32, 32\), its picture's, got \(20000, 20000\)"):
        decode_mask(claims, (32, 32))
    turning = hostile.chunk(b"eXIf", b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\1\0\0\0\6\0\0\0\0\0\0\0")
    with pytest.raises(MaskError, match=r"got \(32, 64\)"):
        decode_mask(hostile.png(size=(64, 32), colour=0, before=turning), (64, 32))
