"""The layout that `--segments` and `--segment` ask for, and the files it is read from."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from indexes.storage.paths import as_path, from_folder
from pipelines.edit.files import read_given
from pipelines.terminal.arguments import any_path
from pipelines.terminal.console import EXIT_USAGE, CommandError

if TYPE_CHECKING:
    from editing.layouts import Layout

YAML_SUFFIXES = (".yaml", ".yml")
MOST_YAML_BYTES = 1 << 20
_KEYS = ("map", "segments", "background")


@dataclass(frozen=True)
class AskedLayout:
    """What flags ask for: a map and its colours' phrases, or without a map a phrase a mask file.

    `read` are all files that it is read from; `background` is the map's, None for the usual.
    """

    map_file: Path | None
    named: tuple[tuple[str, str], ...]
    background: str | None
    read: tuple[Path, ...]


def add_layout_flags(parser: argparse.ArgumentParser) -> None:
    """`--segments`, `--segment` and `--segment-background`."""
    parser.add_argument(
        "--segments",
        type=any_path,
        metavar="MAP.png|MAP.yaml",
        help="for editors that follow a layout: a map of flat colours, of PHOTO's size, or a YAML "
        "file that names it (map: FILE) and its colours (segments: {COLOUR: PHRASE})",
    )
    parser.add_argument(
        "--segment",
        action="append",
        default=[],
        metavar="COLOUR=PHRASE",
        help="what the prompt calls what stands where the map has a colour, such as "
        "'red=green apple'; without --segments FILE=PHRASE, where a mask file marks it; again for "
        "each",
    )
    parser.add_argument(
        "--segment-background",
        metavar="COLOUR",
        help="the map's colour that stands for nothing (default black)",
    )


def read_layout_flags(arguments: argparse.Namespace) -> AskedLayout | None:
    """What the flags ask for, None where there are none; the map itself is not read yet.

    Raises:
        CommandError: flags that contradict each other or break a rule, or a file that does.
    """
    named = tuple(map(_split, arguments.segment))
    background: str | None = arguments.segment_background
    if arguments.segments is None:
        if background is not None:
            raise _usage("--segment-background needs --segments")
        if not named:
            return None
        files = tuple(as_path(name) for name, _ in named)
        return AskedLayout(None, named, None, files)
    path: Path = arguments.segments
    if path.suffix.lower() not in YAML_SUFFIXES:
        if not named:
            raise _usage(f"--segments {path} needs --segment COLOUR=PHRASE for each of its colours")
        return AskedLayout(path, named, background, (path,))
    for flag, given in (("--segment", named), ("--segment-background", background)):
        if given:
            raise _usage(f"--segments {path} says it all: leave {flag} out")
    return _read_yaml(path)


def read_layout(asked: AskedLayout, size: tuple[int, int]) -> "Layout":
    """The layout of a picture of `size` (width, height).

    Raises:
        CommandError: a file cannot be read, or is no picture.
        EditError: the files make no layout.
    """
    from editing.layouts import read_layout_map, read_layout_masks
    from transforms.pictures.decoding import DEFAULT_LIMITS

    most = DEFAULT_LIMITS.max_bytes
    if asked.map_file is not None:
        data = read_given(asked.map_file, most=most)
        with _naming(asked.map_file):
            return read_layout_map(data, asked.named, background=asked.background)
    files = []
    for path, (_, phrase) in zip(asked.read, asked.named, strict=True):
        if not path.exists():
            raise CommandError(
                f"without --segments, --segment names a mask file: there is no file {path}"
            )
        files.append((read_given(path, most=most), phrase))
    with _naming(*asked.read):
        return read_layout_masks(files, size)


@contextmanager
def _naming(*paths: Path) -> Iterator[None]:
    """Says of which file an error is, where it is of one."""
    from transforms.pictures.decoding import PictureError

    try:
        yield
    except PictureError as error:
        raise CommandError(f"{', '.join(map(str, paths))}: {error}") from error


def _split(text: str) -> tuple[str, str]:
    name, equals, phrase = text.rpartition("=")
    if not equals or not name.strip() or not phrase.strip():
        raise _usage(f"--segment must be COLOUR=PHRASE or FILE=PHRASE, got {text!r}")
    return name.strip(), phrase.strip()


def _read_yaml(path: Path) -> AskedLayout:
    data = read_given(path, most=MOST_YAML_BYTES)
    try:
        fields = yaml.safe_load(data.decode())
        _require_once(yaml.compose(data.decode(), yaml.SafeLoader))
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        reason = getattr(error, "problem", None) or type(error).__name__
        raise CommandError(f"{path}: not readable as YAML ({reason})") from error
    if not isinstance(fields, dict) or not {"map", "segments"} <= fields.keys() <= set(_KEYS):
        raise CommandError(
            f"{path}: must have map and segments, may have background, and nothing else"
        )
    segments, background = fields["segments"], fields.get("background")
    words = isinstance(segments, dict) and all(
        isinstance(word, str) for pair in segments.items() for word in pair
    )
    if not words or not segments:
        raise CommandError(
            f"{path}: segments must map colours to phrases; write #rrggbb in quotes, for # begins "
            "a comment"
        )
    for name, value in (("map", fields["map"]), ("background", background)):
        if not isinstance(value, str) and not (name == "background" and value is None):
            raise CommandError(f"{path}: {name} must be text, got a {type(value).__name__}")
    map_file = from_folder(path.parent, fields["map"])
    return AskedLayout(map_file, tuple(segments.items()), background, (path, map_file))


def _require_once(root: yaml.Node | None) -> None:
    """Makes sure that no key stands twice, above or among the colours: the last would win."""
    inner = [value for _, value in root.value] if isinstance(root, yaml.MappingNode) else []
    for node in (root, *inner):
        keys = [key.value for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
        twice = [key for key in keys if keys.count(key) > 1]
        if twice:
            raise yaml.constructor.ConstructorError(problem=f"{twice[0]!r} stands there twice")


def _usage(line: str) -> CommandError:
    return CommandError(line, exit_code=EXIT_USAGE)
