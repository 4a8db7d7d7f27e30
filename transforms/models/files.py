"""Where the files of a model lie, which of them are read, and what tells two models apart.

Weights are read from safetensors alone: other formats can run code when they are opened.
"""

import hashlib
import re
from pathlib import Path

from transforms.models.spec import ModelError, ModelSpec
from transforms.package_data import find_package_data

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
VARIANT_OPTION = "variant"
VARIANTS = ("fp16", "non_ema")
"""Endings of the files that hold the weights of a pipeline another time, or only so."""
_HOW_OPTIONS = ("batch_size", "gpu_batch_size", "device")
_NETWORK_LOADERS = ("blip", "clip", "open_clip", "clipseg")
"""Loaders of the pipeline's networks; their precision is told where they compute is told."""
BASE_OPTION = "base"
"""The option that names where the files lie which a model's own folder leaves out."""
PIPELINE_INDEX = "model_index.json"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


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

    wanted = _HUB_FILES
    if spec.loader in _PIPELINE_LOADERS:
        wanted = _pipeline_patterns(_variant(spec))
    left_out = [_ending(variant) for variant in VARIANTS if variant != _variant(spec)]
    try:
        return Path(
            huggingface_hub.snapshot_download(
                name, revision=spec.revision, allow_patterns=wanted, ignore_patterns=left_out
            )
        )
    # The hub's network and lookup errors are all OSErrors.
    except (OSError, HFValidationError) as error:
        kind = type(error).__name__
        raise ModelError(
            f"cannot fetch {name} at {spec.revision} from the hub ({kind}); "
            "download it elsewhere and give the local folder as the location"
        ) from error


def _variant(spec: ModelSpec) -> str:
    return str(dict(spec.options).get(VARIANT_OPTION, ""))


def _ending(variant: str) -> str:
    return f"*.{variant}.safetensors" if variant else "*.safetensors"


def _pipeline_patterns(variant: str) -> list[str]:
    """The files of a diffusers pipeline that are loaded: not, say, its safety checker."""
    files = [*_HUB_FILES[:-1], _ending(variant)]
    inside = [f"{part}/{pattern}" for part in _PIPELINE_PARTS for pattern in files]
    return [PIPELINE_INDEX, *inside]


def require_variant(variant: str) -> None:
    """Make sure that the option `variant` is empty or one of `VARIANTS`.

    Raises:
        ValueError: it is not.
    """
    if variant and variant not in VARIANTS:
        raise ValueError(f"variant must be empty or one of {', '.join(VARIANTS)}, got {variant!r}")


def weight_files(path: Path, variant: str = "") -> list[Path]:
    """The safetensors of a folder, sorted; or the one file that `path` is.

    Of a folder that holds its weights more than once those of the `variant`, as the options of a
    pipeline's loader name it; by default those that are of none.

    Raises:
        ModelError: there are none, in particular where the weights are a pickle.
    """
    if path.is_file():
        if path.suffix != ".safetensors":
            raise ModelError(f"{path}: weights must be a .safetensors file")
        return [path]
    if not path.is_dir():
        raise ModelError(f"no model folder {path}")
    found = [file for file in sorted(path.glob(_ending(variant))) if _is_of(file, variant)]
    if found:
        return found
    for other in ("", *VARIANTS):
        if any(_is_of(file, other) for file in path.glob(_ending(other))):
            raise ModelError(
                f"{path}: no weights named {_ending(variant)}, but {_ending(other)}; "
                f"for these the option `{VARIANT_OPTION}` must be {other!r}"
            )
    for pattern in _PICKLES:
        for pickle in sorted(path.glob(pattern)):
            raise ModelError(
                f"{path}: {pickle.name} is a pickle, which can run code when opened; "
                "only safetensors are read (docs/full_size.md says how to convert)"
            )
    raise ModelError(f"{path}: no weights, expected model.safetensors")


def _is_of(file: Path, variant: str) -> bool:
    """Whether a file of weights belongs to a variant, or, with "", to none."""
    return bool(variant) or not any(file.match(_ending(other)) for other in VARIANTS)


def identity(spec: ModelSpec) -> str:
    """One line that tells two models apart: loader, name, options, and commit or content hash.

    A hub commit already fixes the bytes, so only local files are read and hashed; of a local
    folder the last name alone is used, so that moving it changes nothing. Options that say how to
    compute, not what, are left out. Of a base its contents are told, not where it lies.

    Raises:
        ModelError: local files that would have to be hashed are not there.
    """
    precision = ("dtype",) if spec.loader in _NETWORK_LOADERS else ()
    left_out = (*_HOW_OPTIONS, *precision, BASE_OPTION)
    options = [f"{name}={value}" for name, value in spec.options if name not in left_out]
    base = locate_base(spec)
    if base is not None:
        options.append(f"base_sha256={_content_sha256(base, '')}")
    if spec.location.startswith(_PACKAGE_PREFIX):
        source = [spec.location, f"sha256={_content_sha256(locate(spec), _variant(spec))}"]
    elif spec.revision is not None:
        source = [spec.location.removeprefix(_HUB_PREFIX), f"revision={spec.revision}"]
    else:
        path = locate(spec)
        source = [path.name, f"sha256={_content_sha256(path, _variant(spec))}"]
    return " ".join([spec.loader, *source, *options])


def _content_files(path: Path, variant: str) -> list[Path]:
    if (path / PIPELINE_INDEX).is_file():
        found = (file for pattern in _pipeline_patterns(variant) for file in path.glob(pattern))
        return sorted(file for file in found if _is_of(file, variant))
    files = weight_files(path)
    if path.is_dir():
        files += [file for pattern in ("*.json", "*.txt") for file in sorted(path.glob(pattern))]
    return files


def _content_sha256(path: Path, variant: str) -> str:
    files = _content_files(path, variant)
    root = path if path.is_dir() else path.parent
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.relative_to(root).as_posix().encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
