"""What to load: a loader's name, a location, a pinned revision and options.

A location is one of
- a local folder (or, for open_clip, one safetensors file): starts with `/`, `.` or `~`, or exists;
- `package:stilllife/weights/clip`: a folder inside an installed package;
- `owner/name` or `hf-hub:owner/name`: a name on the Hugging Face hub, with a full commit hash.

Where a location leads, and which files are read, says `transforms.models.files`.
"""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from indexes.errors import PairloomError

OptionValue = str | int | float | bool
OptionsT = TypeVar("OptionsT")

_COMMIT = re.compile(r"[0-9a-f]{40}")


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
