"""No file outside an editor's folder knows an editor by its name."""

import ast
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from editing.registry import EDITORS

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("editing", "pipelines", "transforms", "indexes", "pairloom")
EXCEPTED = ("editing/editors/", "editing/registry.py")
OF_EDITORS = ("editing/", "pipelines/edit", "pipelines/eval", "pipelines/train", "pipelines/term")
"""Where an editor's name is no other thing's name, so that it has no business there at all."""


def source_files() -> list[str]:
    paths = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    names = (path.relative_to(ROOT).as_posix() for path in paths)
    return sorted(name for name in names if not name.startswith(EXCEPTED))


def strings(node: ast.AST) -> Iterator[ast.Constant]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner


def asks_for_a_name(node: ast.AST) -> Iterator[ast.AST]:
    """What `node` compares, looks up or matches by."""
    match node:
        case ast.Compare():
            yield from (node.left, *node.comparators)
        case ast.Subscript(slice=key):
            yield key
        case ast.Dict(keys=keys):
            yield from filter(None, keys)
        case ast.MatchValue(value=value):
            yield value
        case ast.Call(func=ast.Attribute(attr="get" | "startswith" | "endswith"), args=words):
            yield from words


def named_editors(
    source: str, names: Collection[str], *, anywhere: bool = False
) -> list[tuple[int, str]]:
    """Lines of `source` that ask which editor it is, and the name; or that name one `anywhere`."""
    tree = ast.parse(source)
    asked = (
        [tree] if anywhere else [each for node in ast.walk(tree) for each in asks_for_a_name(node)]
    )
    found = {(each.lineno, each.value) for node in asked for each in strings(node)}
    return sorted((line, value) for line, value in found if value in names)


def test_no_file_asks_which_editor_it_is():
    found = [
        f"{name}:{line} names the editor {value}"
        for name in source_files()
        for line, value in named_editors(
            (ROOT / name).read_text(encoding="utf-8"),
            EDITORS,
            anywhere=name.startswith(OF_EDITORS),
        )
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        'if name == "copy": pass',
        'if "copy" != name: pass',
        'ok = name in ("sdedit", "copy")',
        'ok = name not in {"copy"}',
        'ok = 1 < (name == "copy")',
        'way = {"copy": 1, **more}[name]',
        'way = ways["copy"]',
        'way = ways.get("copy")',
        'ok = name.startswith("copy")',
        'match name:\n    case "copy" | "other": pass',
    ],
)
def test_what_is_looked_for_is_found(line):
    found = named_editors(f"'''About copy.'''\n{line}\n", EDITORS)
    assert "copy" in {value for _, value in found}
    assert {number for number, _ in found} <= {2, 3}


@pytest.mark.parametrize("line", ['stage = "copy"', 'run("copy")', "ok = copy == other", "# copy"])
def test_other_words_are_no_question(line):
    assert named_editors(line, EDITORS) == []


def test_where_editors_are_the_subject_no_name_is_right():
    assert named_editors('\nDEFAULT = "copy"', EDITORS, anywhere=True) == [(2, "copy")]
    assert named_editors('"""copy is an editor."""', EDITORS, anywhere=True) == []


def test_the_files_that_are_looked_at_are_there():
    names = source_files()
    assert {"editing/loading.py", "pipelines/evaluation/command.py"} <= set(names)
    assert not [name for name in names if "editors/" in name]
