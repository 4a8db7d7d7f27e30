import json
import pickle

import pytest
from fakes.pictures import picture_bytes
from fakes.records import read_all

from indexes.captions import all_captions
from pipelines.sources import open_source
from transforms.protocols import SourceError
from transforms.sources.captions_file import join_captions, read_captions_file
from transforms.sources.folder import FolderSource

DOG, CAT = ("a dog runs", "a brown dog"), ("a cat",)
COCO = {
    "images": [{"id": 7, "file_name": "dog.png"}, {"id": 8, "file_name": "cat.png"}],
    "annotations": [
        {"image_id": 7, "caption": DOG[0]},
        {"image_id": 8, "caption": CAT[0]},
        {"image_id": 7, "caption": DOG[1]},
    ],
}
KARPATHY = {
    "images": [
        {"filename": "dog.png", "sentences": [{"raw": each} for each in DOG]},
        {"filename": "cat.png", "sentences": [{"raw": CAT[0]}]},
    ]
}
LAYOUTS = {
    "flickr8k": "dog.png#0\ta dog runs\ndog.png#1\ta brown dog\ncat.png#0\ta cat\n",
    "lines": "dog.png\ta dog runs\r\n\r\ndog.png\ta brown dog\r\ncat.png\ta cat\r\n",
    "flickr30k": "image_name| comment_number| comment\ndog.png| 0| a dog runs\n"
    "dog.png| 1| a brown dog\ncat.png| 0| a cat\ncat.png| 1\n",
    "table": 'image,caption\ndog.png,"a dog runs"\ndog.png,a brown dog\ncat.png,a cat\n',
    "coco": json.dumps(COCO),
    "karpathy": json.dumps(KARPATHY),
    "mapping": json.dumps({"dog.png": list(DOG), "cat.png": CAT[0]}),
}


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "deep").mkdir(parents=True)
    (folder / "dog.png").write_bytes(picture_bytes(1, size=(20, 20)))
    (folder / "deep" / "cat.png").write_bytes(picture_bytes(2, size=(20, 20)))
    (folder / "fish.png").write_bytes(picture_bytes(3, size=(20, 20)))
    (folder / "fish.txt").write_text("a fish")
    return folder


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path, layout):
    path = tmp_path / "captions"
    path.write_text(LAYOUTS[layout], encoding="utf-8", newline="")
    assert read_captions_file(path) == {"dog.png": DOG, "cat.png": CAT}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "its first line must hold a tab, or name the columns image and caption, got ''"),
        ("dog.png: a dog", "its first line must hold a tab"),
        ("dog.png\ta dog\ncat.png", "line 2 must be a name, a tab and a caption, got 'cat.png'"),
        ("image,caption\n", "the file holds no captions"),
        ("{", "no readable file of captions"),
        ("[1]", "JSON of captions must be an object"),
        ('{"images": [], "annotations": [{}]}', "'image_id' is missing"),
        ('{"dog.png": [1]}', "a name or caption must be text, got 1"),
        ('{"dog.png": 1}', "no readable file of captions"),
        ("[" * 100_000, "no readable file of captions"),
        ("dog.png\t" + "a" * 70_000, "dog.png has a caption of more than 65536 characters"),
    ],
)
def test_what_is_no_file_of_captions_is_one_line(tmp_path, text, said):
    path = tmp_path / "captions"
    path.write_text(text)
    with pytest.raises(SourceError) as caught:
        read_captions_file(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_takes_its_captions_from_the_file(tmp_path, pictures):
    path = tmp_path / "captions.tsv"
    path.write_text(LAYOUTS["flickr8k"])
    (tmp_path / "source.yaml").write_text("kind: folder\npath: pictures\ncaptions: captions.tsv\n")
    source = open_source(str(tmp_path / "source.yaml"))
    told = {row.reference: row.alt_text for row in read_all(source)}
    assert told == {
        "deep/cat.png": "a cat",
        "dog.png": "a dog runs\na brown dog",
        "fish.png": "a fish",
    }
    assert all_captions("a dog runs", told["dog.png"]) == DOG
    assert open_source(source.describe()) == source
    assert list(read_all(pickle.loads(pickle.dumps(source)))) == list(read_all(source))


def test_a_folder_without_such_a_file_is_described_as_before(pictures):
    assert "captions" not in FolderSource(str(pictures)).describe()


def test_a_file_of_captions_in_the_folder_is_no_picture(pictures):
    (pictures / "captions.tsv").write_text(LAYOUTS["flickr8k"])
    alone, told = (
        FolderSource(str(pictures), captions=captions)
        for captions in (None, str(pictures / "captions.tsv"))
    )
    assert len(read_all(alone)) == 4
    assert len(read_all(told)) == 3


def test_the_listing_tells_that_the_captions_changed(tmp_path, pictures):
    path = tmp_path / "captions.tsv"
    path.write_text(LAYOUTS["flickr8k"])
    source = FolderSource(str(pictures), captions=str(path))
    before = source.listing()
    path.write_text(LAYOUTS["flickr8k"].replace("brown", "black"))
    assert before.difference(source.listing()) == "files: 1 other, first captions: captions.tsv"
    assert "black" in {row.reference: row for row in read_all(source)}["dog.png"].alt_text


@pytest.mark.parametrize("captions", ["nowhere.tsv", "."])
def test_a_file_that_cannot_be_read_is_one_line(pictures, captions):
    path = str(pictures / captions)
    with pytest.raises(SourceError, match="cannot read it"):
        FolderSource(str(pictures), captions=path).shards()


def test_captions_of_a_store_are_refused():
    with pytest.raises(SourceError, match="captions: the pictures of a store"):
        open_source({"kind": "folder", "path": "s3://bucket/a", "captions": "/captions.tsv"})
    with pytest.raises(SourceError, match="must not be on a store"):
        FolderSource("/pictures", captions="s3://bucket/captions.tsv")


def test_captions_are_a_line_each_and_said_once():
    assert join_captions(["a\tdog ", "a dog", " ", "two\ndogs"]) == "a dog\ntwo dogs"
    assert join_captions([" "]) is None
