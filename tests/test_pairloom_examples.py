"""Every public name of `pairloom` has an example in its docstring, and the examples are right."""

import doctest
import re

import pytest
from fakes.command_line import run

import pairloom

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
SMALL = "pairloom demo --sources 40 --pool 200 --out small"
"""What the examples that open a folder say was run before."""


@pytest.fixture(scope="module")
def folder_of_examples(tmp_path_factory):
    assert SMALL in pairloom.__doc__
    folder = tmp_path_factory.mktemp("examples")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run(*SMALL.split()[1:], "--workers", 1).code == 0
        yield folder


def parse(name, docstring):
    return doctest.DocTestParser().get_doctest(docstring, {}, name, None, None)


def check(test):
    said = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=FLAGS)
    runner.run(test, out=said.append)
    assert runner.failures == 0, "".join(said)


@pytest.mark.parametrize("name", pairloom.__all__)
def test_a_public_name_has_an_example_that_is_right(name, folder_of_examples):
    value = getattr(pairloom, name)
    if isinstance(value, (str, dict)):
        examples = parse(name, pairloom.__doc__).examples
        assert any(re.search(rf"\b{name}\b", each.source) for each in examples)
        return
    test = parse(name, value.__doc__)
    assert test.examples, f"the docstring of {name} has no example"
    assert any(re.search(rf"\b{name}\b", each.source) for each in test.examples)
    check(test)


def test_the_examples_of_the_package_itself_are_right():
    check(parse("pairloom", pairloom.__doc__))
