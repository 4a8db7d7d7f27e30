"""What tests may touch: nothing that has a private name, and no time of day in their own names."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ALLOWED = {
    "fakes/accelerator.py": {"_reset_state"},
    "fakes/far_device.py": {"_make_wrapper_subclass", "_schema"},
}
"""What a file may touch because neither the program nor a library gives another way to it."""
FILES = sorted(path.relative_to(TESTS).as_posix() for path in TESTS.rglob("*.py"))
REACHING = {"setattr", "delattr", "getattr", "patch", "object", "multiple"}
"""The last names of the functions that reach an attribute by its name as a string."""


def is_private(name: str) -> bool:
    """Whether the last part of a dotted name begins with an underscore, `__dunder__` apart."""
    last = name.rpartition(".")[2]
    return last.startswith("_") and not (last.startswith("__") and last.endswith("__"))


def names_given(call: ast.Call) -> list[str]:
    """The names of attributes that a call of `setattr`, `patch` and the like is given."""
    called = call.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    given = [*call.args, *(keyword.value for keyword in call.keywords)] if name in REACHING else []
    values = [each.value for each in given if isinstance(each, ast.Constant)]
    return [value for value in values if isinstance(value, str)]


def private_names(text: str) -> Iterator[tuple[int, str]]:
    """Lines and names of the private things that a test reads, replaces or imports.

    What a class of the tests keeps for itself, as `self._name`, is its own.
    """
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")):
                yield node.lineno, node.attr
        elif isinstance(node, ast.Call):
            yield from ((node.lineno, name) for name in names_given(node) if is_private(name))
        elif isinstance(node, ast.ImportFrom | ast.Import):
            for alias in node.names:
                if is_private(alias.name):
                    yield node.lineno, alias.name


def dated_archives(text: str) -> list[int]:
    """Lines that compress by gzip with the time of day, by which names of tests would differ."""
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    return [
        call.lineno
        for call in calls
        if ast.unparse(call.func) == "gzip.compress"
        and not any(keyword.arg == "mtime" for keyword in call.keywords)
    ]


@pytest.mark.parametrize("name", FILES)
def test_worker_processes_agree_on_the_names_of_tests(name):
    assert dated_archives((TESTS / name).read_text(encoding="utf-8")) == []


def test_an_archive_with_the_time_of_day_is_found():
    assert dated_archives('one = gzip.compress(b"")\ntwo = gzip.compress(b"", mtime=0)') == [1]


@pytest.mark.parametrize("name", FILES)
def test_nothing_private_is_touched(name):
    found = {private for _, private in private_names((TESTS / name).read_text(encoding="utf-8"))}
    assert found == ALLOWED.get(name, set())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("trainer._objective = broken", "_objective"),
        ("run.trainer._steps += 1", "_steps"),
        ("del module._cache", "_cache"),
        ("value: int = thing._number", "_number"),
        ('monkeypatch.setattr(module, "_read_file", read_file)', "_read_file"),
        ('monkeypatch.setattr("a.module._read_file", read_file)', "a.module._read_file"),
        ('monkeypatch.delattr(module, name="_read_file")', "_read_file"),
        ('mock.patch.object(Source, "_read_row", row)', "_read_row"),
        ('setattr(module, "_sync", None)', "_sync"),
        ("from module import public, _private", "_private"),
        ("with open(module._path()) as file: pass", "_path"),
    ],
)
def test_it_would_be_found(text, found):
    assert list(private_names(text)) == [(1, found)]


@pytest.mark.parametrize(
    "text",
    [
        "self._seen = []",
        "class Fake:\n    def __init__(self):\n        self._seen = {}",
        'monkeypatch.setattr(module, "read_file", read_file)',
        "module.__version__",
        "_, one = pair",
        '{"_type": "Image"}',
    ],
)
def test_what_is_public_or_a_test_s_own_is_free(text):
    assert list(private_names(text)) == []
