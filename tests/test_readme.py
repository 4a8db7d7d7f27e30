"""The README's commands do what it says, and what it names is there."""

import re
import shlex
from pathlib import Path

import pytest

from pipelines.main import main

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def shell_lines(text):
    return [line for block in blocks(text, "sh") for line in block.splitlines() if line.strip()]


def section(text, title):
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.slow
def test_the_commands_run_one_after_another(tmp_path, monkeypatch):
    """Of fewer pictures than it says, so that they take less time."""
    lines = shell_lines(README)
    assert len(lines) >= 5
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fewer.yaml").write_text("kind: still-life\ncount: 500\n")
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "pairloom"
        arguments = ["fewer.yaml" if word == "still-life" else word for word in arguments]
        assert main(arguments) == 0, line
    assert (tmp_path / "pairs" / "COMPLETED").is_file()
    assert (tmp_path / "report.html").stat().st_size > 10_000
    assert (tmp_path / "strict" / "COMPLETED").is_file()
    run_what_is_said_from_python(tmp_path)


def run_what_is_said_from_python(folder):
    """The README's Python, on the pairs and the index that its commands have made."""
    (code,) = blocks(section(README, "From Python"), "python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    values = {}
    exec(compile(code, "README.md", "exec"), values)
    assert values["edited"].size == values["pair"].source_image.size
    assert values["rows"].shape == (1, 5)
    assert (folder / "edited.png").is_file()


def test_the_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    wanted = re.findall(r"make (\w+)", README)
    assert wanted
    for target in wanted:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


@pytest.mark.parametrize("document", sorted(path.name for path in (ROOT / "docs").glob("*.md")))
def test_links_lead_somewhere(document):
    path = ROOT / "docs" / document
    check_links(path)


def test_links_of_the_readme_lead_somewhere():
    check_links(ROOT / "README.md")


def check_links(path):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    for link in links:
        if not link.startswith(("http://", "https://")):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_named_modules_and_benchmarks_exist():
    texts = [README, *(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))]
    named = {name for text in texts for name in re.findall(r"(?:benchmarks|tests)/\w+\.py", text)}
    assert named
    for name in named:
        assert (ROOT / name).is_file(), name
