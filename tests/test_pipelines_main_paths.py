"""Every path of a command line is on a store, or refused: never a local folder of that name."""

import argparse
import functools
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from fakes.command_line import index_folder, pool_folder, preset_file, run
from fakes.pictures import picture_bytes

from indexes.storage.paths import as_path
from pipelines.main import build_parser
from pipelines.terminal.arguments import any_path, existing_folder, local_path

ADDRESS = "nonesuch://bucket/some"
PATH_TYPES = (any_path, existing_folder, local_path)
TEXTS_OF_PATHS = {
    ("build", "source"),
    ("build", "index"),
    ("decontaminate", "against"),
    ("edit", "mask"),
    ("edit", "segment"),
    ("fetch", "source"),
    ("index", "source"),
    ("lexicon build", "wordnet"),
    ("plan", "source"),
    ("rethreshold", "segment"),
}
"""Arguments that are a path in one case and something else in another; as are presets, but where
they only name rates."""
RATES = ("plan", "preset")
OTHER_TEXTS = {
    *("allow_address", "box", "device", "index_name", "mask_phrase", "prompt", "runner"),
    *("segment_background", "set_values", "source_prompt", "threshold", "without"),
    *("by", "judge", "push", "score", "splits", "filter", "source_filter", "cap"),
}
"""Arguments that are never a path, whatever stands in them."""


COMMANDS = (
    *("build", "clean", "decontaminate", "demo", "edit", "edit-images", "evaluate", "export"),
    *("fetch", "index", "judge"),
    *("lexicon build", "plan", "report", "rethreshold", "rewrite", "train", "verify"),
)


@dataclass(frozen=True)
class Argument:
    """One argument of a command that takes a value."""

    command: str
    action: argparse.Action

    @property
    def place(self):
        return self.command, self.action.dest

    def words(self, value):
        return (*self.action.option_strings[:1], value)


@functools.cache
def all_arguments():
    """What the commands add to the command line that takes a value, in order."""
    found, commands = [], []
    kinds = {argparse.ArgumentParser, type(argparse.ArgumentParser().add_argument_group())}
    kinds.add(type(argparse.ArgumentParser().add_mutually_exclusive_group()))

    def recording(kind):
        add = kind.add_argument

        def add_argument(self, *words, **settings):
            action = add(self, *words, **settings)
            if isinstance(self, argparse.ArgumentParser):
                commands.append(self.prog.removeprefix("pairloom").strip())
            if action.nargs != 0:
                found.append(Argument(commands[-1], action))
            return action

        return add_argument

    with pytest.MonkeyPatch.context() as patch:
        for kind, add_argument in [(kind, recording(kind)) for kind in kinds]:
            patch.setattr(kind, "add_argument", add_argument)
        build_parser()
    return found


def is_path(argument):
    preset = argument.action.dest == "preset" and argument.place != RATES
    return preset or argument.place in TEXTS_OF_PATHS or argument.action.type in PATH_TYPES


def all_paths():
    return [each for each in all_arguments() if is_path(each)]


def test_every_text_is_known_to_be_a_path_or_none():
    """A new argument is one of `PATH_TYPES`, a number or a choice, or has to be named above."""
    unknown = [
        each.place
        for each in all_arguments()
        if not is_path(each)
        and (each.action.type in (None, str, Path, as_path) and not each.action.choices)
        and each.action.dest not in OTHER_TEXTS
        and each.place != RATES
    ]
    assert unknown == []
    assert {each.command for each in all_paths()} == set(COMMANDS)
    assert {each.place for each in all_arguments()} >= TEXTS_OF_PATHS


@pytest.fixture
def given(tmp_path, honest_dataset):
    """What each command is given beside the path that is tried: so much that it would run."""
    captions = tmp_path / "captions.txt"
    captions.write_text("a red apple on the bus\n")
    photo = tmp_path / "photo.png"
    photo.write_bytes(picture_bytes(1, size=(16, 16)))
    out, pairs = tmp_path / "out", honest_dataset
    tiny = ("--preset", preset_file(), "--captions", "source")
    return {
        "build": {"source": pool_folder(), "index": index_folder(), "out": out, None: tiny},
        "clean": {"folder": pairs, "out": out, None: ("--one-a-group", *tiny[:2])},
        "decontaminate": {
            **{"folder": pairs, "out": out, "against": pool_folder()},
            None: tiny[:2],
        },
        "demo": {None: ("--sources", 1, "--pool", 2)},
        "edit": {
            "photo": photo,
            "out": tmp_path / "edited.png",
            None: ("--prompt", "a red pear", "--editor", "copy"),
        },
        "edit-images": {"dataset": pairs, "out": out, None: ("--editor", "copy")},
        "evaluate": {"dataset": pairs, "out": out, None: ("--editors", "copy", "--edits", 1)},
        "export": {"dataset": pairs, "out": out, None: ("--format", "hub-folder")},
        "fetch": {"source": captions, "out": out},
        "judge": {"dataset": pairs, "marks": tmp_path / "marks", None: ("--summary",)},
        "index": {"source": pool_folder(), "out": out, None: tiny},
        "lexicon build": {"out": tmp_path / "table.tsv.gz"},
        "plan": {},
        "report": {"dataset": pairs},
        "rethreshold": {"folder": pairs, "out": out},
        "rewrite": {"file": captions},
        "train": {"dataset": pairs, "out": out, None: ("--steps", 1)},
        "verify": {"folder": pairs},
    }


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty folder that commands stand in, which nothing may be written to."""
    folder = tmp_path / "standing"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def command_words(argument, value, given):
    """The command line with `value` for `argument`, and what else it needs."""
    words = list(argument.command.split())
    for other in all_arguments():
        if other.command != argument.command:
            continue
        if other.action is argument.action:
            words += other.words(value)
        elif other.action.dest in given:
            words += other.words(given[other.action.dest])
    return [*words, *extra_words(argument, given)]


def extra_words(argument, given):
    dest, more = argument.action.dest, list(given.get(None, ()))
    if argument.command == "edit" and dest in ("segments", "segment"):
        more[more.index("copy")] = "zestguide"
        more += ["--segment", "red=a pear"] if dest == "segments" else []
    if dest == "preset" and "--preset" in more:
        del more[more.index("--preset") : more.index("--preset") + 2]
    return more


def value_of(argument, address):
    if argument.command == "edit":
        address = f"{address}.png"
    return f"{address}=a pear" if argument.place == ("edit", "segment") else address


@contextmanager
def no_wordnet(_):
    class NoWordNet:
        def get_version(self):
            return "3.0"

    yield NoWordNet()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        (ADDRESS, f"{ADDRESS}|nonesuch://bucket"),
        ("simplecache::nonesuch://bucket/some", "chained"),
        ("nonesuch:///some", "bucket or a server"),
    ],
)
@pytest.mark.parametrize("command", COMMANDS)
def test_an_address_is_none_of_this_machine(command, address, says, given, elsewhere, monkeypatch):
    """There is no file system `nonesuch`, and whoever asks for it says so with its address."""
    monkeypatch.setattr("pipelines.lexicon.command.open_wordnet", no_wordnet)
    monkeypatch.setattr("pipelines.lexicon.command.build_table", lambda *_: [])
    for argument in all_paths():
        if argument.command != command:
            continue
        value = value_of(argument, address)
        outcome = run(*command_words(argument, value, given[command]))
        assert outcome.code in (1, 2), (argument.place, outcome.out)
        *before, last = outcome.err.splitlines()
        assert last.startswith("pairloom: error: "), (argument.place, last)
        assert any(said in last for said in says.split("|")), (argument.place, last)
        assert all(line.startswith("pairloom: note: ") for line in before), argument.place
        if argument.action.type is local_path and address == ADDRESS:
            assert "must be on this machine" in last, argument.place
        assert list(elsewhere.iterdir()) == [], argument.place
