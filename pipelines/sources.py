"""From what a person wrote to a source: a path, a YAML file, or two words.

A source file is a small mapping: `kind`, and what that kind takes. Relative paths in it are meant
from the folder it lies in, so that it can be moved together with the pictures. A new kind of source
is an entry in `SOURCE_KINDS`.
"""

import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from indexes.storage.paths import as_path, from_folder, is_stored
from transforms.pictures.limits import DEFAULT_LIMITS, LIMITS, PictureLimits
from transforms.protocols import Source, SourceError
from transforms.sources.folder import FolderSource
from transforms.sources.img2dataset import Img2DatasetSource
from transforms.sources.stored_folder import StoredFolderSource

STILL_LIFE = "still-life"

_IN_WORDS = {str: "text", int: "a whole number", bool: "true or false", dict: "a mapping"}
PATH_KEYS = ("path", "metadata", "store", "captions")
_DRAWING = ("objects", "drawn", "draw_seed")


@dataclass(frozen=True)
class SourceSpec:
    """A checked source file: its kind and its settings, paths absolute."""

    kind: str
    settings: dict[str, object]

    def text(self, name: str) -> str:
        """A setting that is text."""
        return str(self.settings[name])

    def limits(self) -> PictureLimits:
        """The picture limits it sets, or the default ones."""
        limits = self.settings.get("limits")
        return _read_limits(limits) if isinstance(limits, Mapping) else DEFAULT_LIMITS


@dataclass(frozen=True, kw_only=True)
class SourceKind:
    """A kind of source: the keys of its source files with their types, and how it is opened.

    Types are str, int, bool and dict; a key of `PATH_KEYS` is a path, whose value is made absolute.
    """

    keys: Mapping[str, type]
    open: Callable[[SourceSpec], Source]
    required: tuple[str, ...] = ()


def open_source(spec: str | Mapping[str, object]) -> Source:
    """The source that `spec` names.

    `spec` is `still-life`; or the path of a folder of pictures, of a folder or file of
    img2dataset's, or of a source file (`.yaml`), here or on a store (`s3://bucket/folder`); or the
    mapping that `Source.describe` gave.

    Raises:
        SourceError: `spec` names nothing that can be a source.

    >>> from pairloom import open_source
    >>> source = open_source({"kind": "still-life", "count": 3})
    >>> [shard] = source.shards()
    >>> [picture.key for picture in source.read(shard)][-1]
    'still-life-0-50-00000002'
    >>> open_source(source.describe()) == source
    True
    """
    if isinstance(spec, Mapping):
        return _build(check_spec(spec, "the source", Path()))
    if spec == STILL_LIFE:
        return _build(SourceSpec(STILL_LIFE, {}))
    path = as_path(spec)
    if path.suffix in (".yaml", ".yml"):
        return _build(read_spec(path))
    if not path.exists():
        raise SourceError(f"{spec}: no such folder or file, and not the word {STILL_LIFE}")
    if path.is_file() and path.suffix not in (".tar", ".parquet"):
        raise SourceError(f"{spec}: a source file must be .yaml, .tar or .parquet")
    kind = "img2dataset" if path.is_file() or _has_shards(path) else "folder"
    return _build(SourceSpec(kind, {"path": str(path.absolute())}))


def read_spec(path: Path) -> SourceSpec:
    """A source file, checked.

    Raises:
        SourceError: it cannot be read, or holds unknown, missing or mistyped keys.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceError(f"{path}: cannot read it: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: no readable YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, Mapping):
        raise SourceError(f"{path}: a source file must be a mapping with the key kind")
    return check_spec(values, str(path), path.parent)


def check_spec(values: Mapping[str, object], where: str, root: Path) -> SourceSpec:
    """`values` with every key checked and paths made absolute from `root`.

    Raises:
        SourceError: naming `where`, the key and the rule.
    """
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in SOURCE_KINDS:
        raise SourceError(
            f"{where}: kind must be one of {', '.join(SOURCE_KINDS)}, got {_shown(kind)}"
        )
    allowed = SOURCE_KINDS[kind].keys
    settings = {name: value for name, value in values.items() if name != "kind"}
    for name, value in settings.items():
        if name not in allowed:
            raise SourceError(
                f"{where}: unknown key {_shown(name)}, a {kind} source takes {', '.join(allowed)}"
            )
        if type(value) is not allowed[name]:  # isinstance would take true for a number
            wanted = _IN_WORDS[allowed[name]]
            raise SourceError(f"{where}: {name} must be {wanted}, got {_shown(value)}")
        if name in PATH_KEYS:
            settings[name] = str(_absolute(str(value), root))
    for name in SOURCE_KINDS[kind].required:
        if name not in settings:
            raise SourceError(f"{where}: a {kind} source needs the key {name}")
    if isinstance(limits := settings.get("limits"), Mapping):
        _read_limits(limits)
    return SourceSpec(kind, settings)


def _absolute(value: str, root: Path) -> Path:
    """A path of a source file that lies in `root`; an address is absolute already."""
    return from_folder(root, as_path(value).expanduser()).absolute()


def _shown(value: object) -> str:
    """`value` as an error shows it: lists that hold the same lists over and over stay short."""
    short = reprlib.Repr()
    short.maxlevel, short.maxstring, short.maxother = 2, 200, 200
    return short.repr(value)


def _read_limits(values: Mapping[str, Any]) -> PictureLimits:
    for name, value in values.items():
        if name not in LIMITS:
            takes = ", ".join(LIMITS)
            raise SourceError(f"limits: unknown key {_shown(name)}, it takes {takes}")
        if isinstance(value, list | dict):
            raise SourceError(f"limits: {name} must be a number, got {_shown(value)}")
    try:
        return PictureLimits(**values)
    except ValueError as error:
        raise SourceError(f"limits: {error}") from error


def _build(spec: SourceSpec) -> Source:
    return SOURCE_KINDS[spec.kind].open(spec)


def _open_folder(spec: SourceSpec) -> Source:
    size = spec.settings.get("shard_size", FolderSource.shard_size)
    assert isinstance(size, int)
    captions = spec.text("captions") if "captions" in spec.settings else None
    if not is_stored(as_path(spec.text("path"))):
        path, limits = spec.text("path"), spec.limits()
        return FolderSource(path, shard_size=size, limits=limits, captions=captions)
    if captions is not None:
        raise SourceError("captions: the pictures of a store have their texts beside them only")
    return StoredFolderSource(spec.text("path"), shard_size=size, limits=spec.limits())


def _open_img2dataset(spec: SourceSpec) -> Source:
    return Img2DatasetSource(spec.text("path"), limits=spec.limits())


def _open_still_life(spec: SourceSpec) -> Source:
    """The collection, or, where the settings say so, some pictures drawn from it."""
    # Only this source draws its pictures, and only it needs the renderer.
    from pipelines.still_life.source import StillLifeSource, StillLifeSubset

    numbers = {name: value for name, value in spec.settings.items() if type(value) is int}
    drawing = {name: numbers.pop(name) for name in _DRAWING if name in numbers}
    collection = StillLifeSource(
        told=spec.settings.get("told") is True,
        combinations=str(spec.settings.get("combinations", "all")),
        **numbers,
    )
    if not drawing:
        return collection
    for name in ("objects", "drawn"):
        if name not in drawing:
            raise SourceError(f"still-life: to draw pictures from it needs the key {name}")
    return StillLifeSubset(collection=collection, **drawing)


def _open_store(spec: SourceSpec) -> Source:
    """What `pairloom fetch` made of a list of links."""
    if "store" not in spec.settings:
        raise SourceError(
            f"{spec.text('metadata')}: a laion source holds links; fetch them with "
            "`pairloom fetch` and name the folder under the key store"
        )
    store = as_path(spec.text("store"))
    if not _has_shards(store):
        raise SourceError(f"{store}: nothing fetched there yet, run `pairloom fetch` first")
    return Img2DatasetSource(str(store), limits=spec.limits())


def _has_shards(folder: Path) -> bool:
    if is_stored(folder):  # one listing instead of two
        return any(path.suffix in (".tar", ".parquet") for path in folder.iterdir())
    return any(folder.glob("*.tar")) or any(folder.glob("*.parquet"))


def _open_links(spec: SourceSpec) -> Source:
    """What a build from a search service fetched; what is not there yet is fetched."""
    # Only this source speaks to servers.
    from transforms.fetching.linked_pictures import LinkedPictures
    from transforms.fetching.options import FetchOptions

    return LinkedPictures(spec.text("store"), FetchOptions(limits=spec.limits()))


SOURCE_KINDS: dict[str, SourceKind] = {
    "folder": SourceKind(
        keys={"path": str, "shard_size": int, "limits": dict, "captions": str},
        open=_open_folder,
        required=("path",),
    ),
    "img2dataset": SourceKind(
        keys={"path": str, "limits": dict}, open=_open_img2dataset, required=("path",)
    ),
    "laion": SourceKind(
        keys={"metadata": str, "store": str, "shard_size": int, "fetch": dict, "limits": dict},
        open=_open_store,
        required=("metadata",),
    ),
    "links": SourceKind(keys={"store": str, "limits": dict}, open=_open_links, required=("store",)),
    STILL_LIFE: SourceKind(
        keys={
            "count": int,
            "seed": int,
            "start": int,
            "shard_size": int,
            "two_objects_percent": int,
            "told": bool,
            "combinations": str,
            "objects": int,
            "drawn": int,
            "draw_seed": int,
        },
        open=_open_still_life,
    ),
}
"""Every kind of source, by the word that a source file has under `kind`."""
