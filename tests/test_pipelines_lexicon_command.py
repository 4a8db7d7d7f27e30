import gzip

import pytest

from pipelines.lexicon.table import build_table, table_bytes
from pipelines.lexicon.word_list import WordListError, parse_word_list
from pipelines.lexicon.wordnet import FILES, WordNetError, lexnames_text, open_wordnet
from pipelines.main import main
from transforms.package_data import find_package_data
from transforms.words.lexicon import load_lexicon, packaged_table

WORD_LIST = find_package_data("data_manifests", "lexicon/words.txt")
DEBIAN = "/usr/share/wordnet"


def live_place():
    for place in (DEBIAN, "nltk"):
        try:
            with open_wordnet(place):
                return place
        except WordNetError:
            continue
    return None


def run(*arguments):
    return main(["lexicon", "build", *arguments])


def test_the_packaged_table_is_small_and_names_its_source():
    data = packaged_table().read_bytes()
    assert len(data) < 2_000_000
    assert load_lexicon().source.startswith("WordNet 3.")
    assert "Princeton" in find_package_data("data_manifests", "lexicon/LICENSE.wordnet").read_text()


def test_the_packaged_table_belongs_to_the_packaged_list():
    header = gzip.decompress(packaged_table().read_bytes()).decode().splitlines()[0].split("\t")
    text = WORD_LIST.read_text(encoding="utf-8")
    again = gzip.decompress(table_bytes([], source=header[2], words_text=text)).decode()
    assert again.strip().split("\t") == header


def test_table_bytes_hold_neither_time_nor_name():
    rows = [("verb", "run")]
    one = table_bytes(rows, source="WordNet 3.0", words_text="x")
    assert one == table_bytes(rows, source="WordNet 3.0", words_text="x")
    assert one[4:8] == b"\0\0\0\0"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_packaged_table_equals_live_wordnet(tmp_path):
    place = live_place()
    if place is None:
        pytest.skip(f"WordNet is in neither {DEBIAN} nor NLTK's data")
    with open_wordnet(place) as wordnet:
        source = f"WordNet {wordnet.get_version()}"
        if source != load_lexicon().source:
            pytest.skip(f"{place} holds {source}, the table was built from another version")
        text = WORD_LIST.read_text(encoding="utf-8")
        rows = build_table(wordnet, parse_word_list(text))
    live = gzip.decompress(table_bytes(rows, source=source, words_text=text))
    assert live == gzip.decompress(packaged_table().read_bytes())


def test_lexnames_has_45_lines():
    lines = lexnames_text().splitlines()
    assert len(lines) == 45
    assert lines[0] == "00\tadj.all\t3"
    assert lines[5] == "05\tnoun.animal\t1"
    assert lines[44] == "44\tadj.ppl\t3"


def test_a_folder_without_wordnet_is_one_line(tmp_path, capsys):
    assert run("--wordnet", str(tmp_path), "--out", str(tmp_path / "out.gz")) == 1
    error = capsys.readouterr().err
    assert FILES[0] in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out.gz").exists()


def test_an_output_that_cannot_be_written_is_one_line_before_anything_is_built(tmp_path, capsys):
    place = tmp_path / "no such folder" / "out.gz"
    assert run("--wordnet", str(tmp_path / "never looked for"), "--out", str(place)) == 1
    error = capsys.readouterr().err
    assert f"--out must lie in a folder that is there, got {place}" in error
    assert error.count("\n") == 1


def test_a_bad_list_is_one_line(tmp_path, capsys):
    words = tmp_path / "words.txt"
    words.write_text("apple\n")
    assert run("--wordnet", DEBIAN, "--words", str(words), "--out", str(tmp_path / "o")) == 1
    assert "heading" in capsys.readouterr().err


def test_the_word_list_syntax():
    text = """
    # note
    [wider food: food.n.01]
    [noun fruit in food: edible_fruit.n.01 citrus.n.01]
    apple pear! orange=orange.n.01
    [noun dishes: - dish.n.02]
    soup~ pizza%!
    [adjective]
    red
    [compound]
    stop_sign
    """
    found = parse_word_list(text)
    assert found.wider == {"food": ("food.n.01",)}
    assert [(one.name, one.wider, one.open_to) for one in found.families] == [
        ("fruit", "food", "edible_fruit.n.01"),
        ("dishes", "", None),
    ]
    words = {one.lemma: one for one in found.nouns}
    assert words["apple"].substitute
    assert not words["pear"].substitute
    assert words["orange"].synset == "orange.n.01"
    assert words["soup"].countability == "mass"
    assert words["pizza"].countability == "both"
    assert found.compounds == ("stop_sign",)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("[noun x in y: z.n.01]", "line 1: y must be"),
        ("[noun x: -]", "at least one ancestor"),
        ("[adjective]\nBad!!word", "line 2"),
        ("[mystery]\nword", "heading"),
    ],
)
def test_bad_word_lists_name_the_line(text, rule):
    with pytest.raises(WordListError, match=rule):
        parse_word_list(text)


def test_the_shipped_list_parses():
    found = parse_word_list(WORD_LIST.read_text(encoding="utf-8"))
    assert len(found.nouns) > 300
