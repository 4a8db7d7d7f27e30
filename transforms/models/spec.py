"""What to load: a loader's name, a location, a pinned revision and options; and where that lies.

A location is one of
- a local folder (or, for open_clip, one safetensors file): starts with `/`, `.` or `~`, or exists;
- `package:stilllife/weights/clip`: a folder inside an installed package;
- `owner/name` or `hf-hub:owner/name`: a name on the Hugging Face hub, with a full commit hash.

Weights are read from safetensors alone: other formats can run code when they are opened.
"""

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from indexes.errors import PairloomError
from transforms.package_data import find_package_data

OptionValue = str | int | float | bool
OptionsT = TypeVar("OptionsT")

_COMMIT = re.compile(r"[0-9a-f]{40}")
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_HUB_PREFIX = "hf-hub:"
_PACKAGE_PREFIX = "package:"
_HUB_FILES = ["*.json", "*.txt", "*.safetensors"]
_PIPELINE_LOADER = "stable_diffusion"
_PIPELINE_LOADERS = (_PIPELINE_LOADER, "stable_diffusion_inpaint", "masked_sdedit", "amused")
"""Loaders of folders in the layout of diffusers' pipelines."""
_PIPELINE_PARTS = (
    *("scheduler", "text_encoder", "tokenizer"),
    *("unet", "vae"),  # of a diffusion model
    *("transformer", "vqvae"),  # of a masked-token model
)
_VARIANTS = ["*.fp16.safetensors", "*.non_ema.safetensors"]
"""The same weights a second time, as a pipeline on the hub has them."""
_HOW_OPTIONS = ("batch_size", "device")
BASE_OPTION = "base"
"""The option that names where the files lie which a model's own folder leaves out."""
PIPELINE_INDEX = "model_index.json"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


class ModelError(PairloomError):
    """A model that cannot be loaded, in one line that names it and says what would help."""


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """What to load, without loading it: hashable, picklable, small.

    `loader` names the code ("blip", "clip", "open_clip", "clipseg"), `location` is described in the
    module's docstring, `revision` the hub commit (40 hexadecimal digits; None for a folder),
    `options` the loader's settings as sorted (name, value) pairs.
    """

    loader: str
    location: str
    revision: str | None = None
    options: tuple[tuple[str, OptionValue], ...] = ()

    def __post_init__(self) -> None:
        if not self.loader or not self.location:
            raise ModelError(
                "a model needs a loader and a location, "
                f"got {self.loader or 'no loader'} and {self.location or 'no location'}"
            )
        if self.revision is not None and not _COMMIT.fullmatch(self.revision):
            raise ModelError(
                f"{self.location}: revision must be a commit of 40 hexadecimal digits, "
                f"because a branch or tag can change under one's feet; got {self.revision!r}"
            )
        object.__setattr__(self, "options", tuple(sorted(self.options)))

    def describe(self) -> dict[str, object]:
        """The same as plain data, for a manifest; `spec_from` makes the spec from it again."""
        return {
            "loader": self.loader,
            "location": self.location,
            "revision": self.revision,
            "options": dict(self.options),
        }


def spec_from(fields: Mapping[str, Any], *, where: str) -> ModelSpec:
    """The spec in plain data such as YAML or `ModelSpec.describe`; `where` names it in errors.

    Raises:
        ModelError: unknown or missing keys, or values of the wrong type.
    """
    known = {field.name for field in dataclasses.fields(ModelSpec)}
    unknown = sorted(str(name) for name in fields if name not in known)
    if unknown:
        raise ModelError(f"{where}: unknown key {unknown[0]!r}; allowed are {sorted(known)}")
    if "revision" not in fields:
        raise ModelError(f"{where}: `revision` is missing; give a commit, or null for a folder")
    for name in ("loader", "location"):
        if not isinstance(fields.get(name), str):
            raise ModelError(f"{where}: `{name}` must be text, got {fields.get(name)!r}")
    revision = fields["revision"]
    if revision is not None and not isinstance(revision, str):
        raise ModelError(f"{where}: `revision` must be quoted text or null, got {revision!r}")
    options = fields.get("options") or {}
    if not isinstance(options, Mapping) or not all(
        isinstance(name, str) and isinstance(value, (str, int, float, bool))
        for name, value in options.items()
    ):
        raise ModelError(f"{where}: `options` must map names to plain values, got {options!r}")
    return ModelSpec(
        loader=fields["loader"],
        location=fields["location"],
        revision=revision,
        options=tuple(options.items()),
    )


def read_options(kind: type[OptionsT], spec: ModelSpec) -> OptionsT:
    """The spec's options as the loader's own dataclass `kind`, which gives names, types, defaults.

    Raises:
        ModelError: an option the loader does not have, or a value of the wrong type.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name, value in spec.options:
        if name not in fields:
            raise ModelError(
                f"{spec.loader} has no option {name!r}; it has {', '.join(sorted(fields))}"
            )
        wanted = type(fields[name].default)
        if type(value) is not wanted:
            raise ModelError(
                f"{spec.loader} option {name} must be {wanted.__name__}, got {value!r}"
            )
    try:
        return kind(**dict(spec.options))
    except ValueError as error:
        raise ModelError(f"{spec.loader}: {error}") from error


def locate(spec: ModelSpec) -> Path:
    """The local folder or file of a spec, downloaded to the hub's cache if it is a hub name.

    Raises:
        ModelError: there is nothing at the location, or the hub cannot give it.
    """
    if spec.location.startswith(_PACKAGE_PREFIX):
        return _in_package(spec.location)
    path = Path(spec.location).expanduser()
    if path.exists():
        return path
    name = spec.location.removeprefix(_HUB_PREFIX)
    if spec.location.startswith(("/", ".", "~")) or not _HUB_NAME.fullmatch(name):
        raise ModelError(
            f"no model at {spec.location}: neither an existing folder nor a hub name `owner/name`"
        )
    return _download(name, spec)


def locate_base(spec: ModelSpec) -> Path | None:
    """The local folder that the option `base` of a spec names; None where it has none.

    A model that shares parts or tensors with another holds its own alone.

    Raises:
        ModelError: there is nothing there.
    """
    location = dict(spec.options).get(BASE_OPTION)
    if not location:
        return None
    return locate(ModelSpec(loader=_PIPELINE_LOADERS[0], location=str(location)))


def _in_package(location: str) -> Path:
    package, _, inside = location.removeprefix(_PACKAGE_PREFIX).partition("/")
    try:
        return find_package_data(package, inside)
    except FileNotFoundError as error:
        line = f"no model at {location}: the installed package has no such folder"
        raise ModelError(line) from error


def _download(name: str, spec: ModelSpec) -> Path:
    if spec.revision is None:
        raise ModelError(
            f"{name}: a hub name needs a pinned `revision` (a commit of 40 hexadecimal digits); "
            "give one, or the path of a local folder"
        )
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError

    wanted = _pipeline_patterns() if spec.loader in _PIPELINE_LOADERS else _HUB_FILES
    try:
        return Path(
            huggingface_hub.snapshot_download(
                name, revision=spec.revision, allow_patterns=wanted, ignore_patterns=_VARIANTS
            )
        )
    # The hub's network and lookup errors are all OSErrors.
    except (OSError, HFValidationError) as error:
        kind = type(error).__name__
        raise ModelError(
            f"cannot fetch {name} at {spec.revision} from the hub ({kind}); "
            "download it elsewhere and give the local folder as the location"
        ) from error


def _pipeline_patterns() -> list[str]:
    """The files of a diffusers pipeline that are loaded: not, say, its safety checker."""
    inside = [f"{part}/{pattern}" for part in _PIPELINE_PARTS for pattern in _HUB_FILES]
    return [PIPELINE_INDEX, *inside]


def weight_files(path: Path) -> list[Path]:
    """The safetensors of a folder, sorted; or the one file that `path` is.

    Raises:
        ModelError: there are none, in particular where the weights are a pickle.
    """
    if path.is_file():
        if path.suffix != ".safetensors":
            raise ModelError(f"{path}: weights must be a .safetensors file")
        return [path]
    if not path.is_dir():
        raise ModelError(f"no model folder {path}")
    found = sorted(path.glob("*.safetensors"))
    if found:
        return found
    for pattern in _PICKLES:
        for pickle in sorted(path.glob(pattern)):
            raise ModelError(
                f"{path}: {pickle.name} is a pickle, which can run code when opened; "
                "only safetensors are read (docs/full_size.md says how to convert)"
            )
    raise ModelError(f"{path}: no weights, expected model.safetensors")


def identity(spec: ModelSpec) -> str:
    """One line that tells two models apart: loader, name, options, and commit or content hash.

    A hub commit already fixes the bytes, so only local files are read and hashed; of a local
    folder the last name alone is used, so that moving it changes nothing. Options that say how to
    compute, not what, are left out. Of a base its contents are told, not where it lies.

    Raises:
        ModelError: local files that would have to be hashed are not there.
    """
    left_out = (*_HOW_OPTIONS, BASE_OPTION)
    options = [f"{name}={value}" for name, value in spec.options if name not in left_out]
    base = locate_base(spec)
    if base is not None:
        options.append(f"base_sha256={_content_sha256(base)}")
    if spec.location.startswith(_PACKAGE_PREFIX):
        source = [spec.location, f"sha256={_content_sha256(locate(spec))}"]
    elif spec.revision is not None:
        source = [spec.location.removeprefix(_HUB_PREFIX), f"revision={spec.revision}"]
    else:
        path = locate(spec)
        source = [path.name, f"sha256={_content_sha256(path)}"]
    return " ".join([spec.loader, *source, *options])


def _content_files(path: Path) -> list[Path]:
    if (path / PIPELINE_INDEX).is_file():
        found = (file for pattern in _pipeline_patterns() for file in path.glob(pattern))
        return sorted(file for file in found if not any(map(file.match, _VARIANTS)))
    files = weight_files(path)
    if path.is_dir():
        files += [file for pattern in ("*.json", "*.txt") for file in sorted(path.glob(pattern))]
    return files


def _content_sha256(path: Path) -> str:
    files = _content_files(path)
    root = path if path.is_dir() else path.parent
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.relative_to(root).as_posix().encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
