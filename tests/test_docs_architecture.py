"""The worked examples of docs/architecture.md do what the text below each of them says."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image

DOCUMENT = (Path(__file__).parent.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
EXAMPLES = {
    name: (code, said)
    for name, code, said in re.findall(
        r"```python\n# (\w+)\.py\n(.*?)```.*?```text\n(.*?)```", DOCUMENT, re.DOTALL
    )
}


def make_zip(folder):
    path = folder / "pictures.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, colour in (("a.png", "red"), ("b.png", "blue")):
            Image.new("RGB", (32, 32), colour).save(folder / name)
            archive.write(folder / name, name)
        archive.writestr("c.txt", "no picture")
    return [path]


def make_photo(folder):
    Image.new("RGB", (32, 32), "white").save(folder / "photo.png")
    return ["photo.png", "out.png"]


ARGUMENTS = {"zip_source": make_zip, "tint": make_photo}


def test_there_is_an_example_for_each_kind_of_addition():
    heads = re.findall(r"^## How to add an? (\w+)$", DOCUMENT, re.MULTILINE)
    assert heads == ["source", "stage", "encoder", "editor"]
    assert list(EXAMPLES) == ["zip_source", "short_captions", "colour_encoder", "tint"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_says_what_the_document_says(name, tmp_path):
    code, said = EXAMPLES[name]
    (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    words = ARGUMENTS.get(name, lambda _: [])(tmp_path)
    done = subprocess.run(
        [sys.executable, f"{name}.py", *map(str, words)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    errors = [line for line in done.stderr.splitlines() if line.startswith("pairloom")]
    assert [*done.stdout.splitlines(), *errors] == said.splitlines(), done.stderr
    assert done.returncode == (2 if errors else 0), done.stderr
