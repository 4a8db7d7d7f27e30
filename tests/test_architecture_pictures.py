"""Pillow is told which formats a file may be, wherever one is opened; some are other programs'."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("pairloom", "pipelines", "editing", "transforms", "indexes", "stilllife", "benchmarks")
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in (*PACKAGES, "docs", "README.md")
    for path in (ROOT / folder, *(ROOT / folder).rglob("*"))
    if path.suffix in (".py", ".md", ".html")
)
OPENS = re.compile(r"Image\.open\((?:[^()]|\([^()]*\))*\)")
OPENERS = re.compile(
    r"\b(?:load_image|read_image|default_loader|pil_loader|imread|ImageFolder)\s*\(|from_file\(.*png"
    r"|\bfrom PIL\.Image import\b|\bPIL\.Image\.open\b|\bImageFile\.Parser\b"
)
"""What other libraries open pictures with, and spellings that hide `Image.open`."""


def opened_carelessly(text: str) -> list[str]:
    """Calls that leave the format to the file."""
    return [call for call in OPENS.findall(text) if "formats=" not in call] + OPENERS.findall(text)


def test_pillow_opens_only_what_it_is_told():
    found = {
        name: calls
        for name in FILES
        if (calls := opened_carelessly((ROOT / name).read_text(encoding="utf-8")))
    }
    assert found == {}


def test_the_program_itself_opens_pictures_in_one_place():
    found = [
        name
        for name in FILES
        if name.endswith(".py")
        and not name.startswith("benchmarks/")
        and re.search(
            r"^(?! *(?:>>>|\.\.\.)).*Image\.open\(", (ROOT / name).read_text(), re.MULTILINE
        )
    ]
    assert found == ["transforms/pictures/opening.py"]


@pytest.mark.parametrize(
    "text",
    ["Image.open(path)", "x = Image.open(io.BytesIO(data)).size", "load_image(url)", "imread (x)"],
)
def test_the_search_finds_what_it_should(text):
    assert opened_carelessly(text)


def test_the_search_passes_what_is_told_a_format():
    assert opened_carelessly("Image.open(io.BytesIO(data), formats=FORMATS).load()") == []
