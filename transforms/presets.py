"""Presets: which network plays which part, each with its location and pinned revision.

A preset is a small YAML file. The built-in ones lie in `data_manifests/presets/`; a path names one
of your own, in which a location such as `./clip` is a folder beside the file.
"""

import dataclasses
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from transforms.models.spec import ModelError, ModelSpec, identity, spec_from

_REQUIRED = ("captioner", "encoder", "segmenter")


class PresetError(Exception):
    """A preset that cannot be used, in one line that names the file and the rule."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """The networks of a run. The first three are the pipeline's; the others are the editors'.

    Each part says what to load, where from and at which revision; nothing is loaded yet.

    >>> from pairloom import Preset, load_preset
    >>> preset = load_preset("stilllife")
    >>> isinstance(preset, Preset), preset.encoder.loader, preset.encoder.location
    (True, 'clip', 'package:stilllife/weights/clip')
    """

    name: str
    captioner: ModelSpec
    encoder: ModelSpec
    segmenter: ModelSpec
    diffusion: ModelSpec | None = None
    inpainting: ModelSpec | None = None
    masked_token_editor: ModelSpec | None = None
    backbone: ModelSpec | None = None
    perceptual: ModelSpec | None = None
    judge: ModelSpec | None = None

    @property
    def parts(self) -> dict[str, ModelSpec]:
        """The parts that are filled, by name."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, ModelSpec)}

    def describe(self) -> dict[str, object]:
        """The preset as plain data, for a manifest."""
        parts = {name: spec.describe() for name, spec in self.parts.items()}
        return {"name": self.name, **parts}

    def identities(self) -> dict[str, str]:
        """One line per pipeline part that tells its model from any other; see `identity`.

        Raises:
            ModelError: local weights that would have to be hashed are not there.
        """
        return {name: identity(getattr(self, name)) for name in _REQUIRED}


PART_NAMES = tuple(f.name for f in dataclasses.fields(Preset) if f.name != "name")


def built_in_presets() -> dict[str, Path]:
    """The presets that come with the distribution, by name."""
    found = importlib.util.find_spec("data_manifests")
    roots = found.submodule_search_locations if found else None
    folders = [Path(root) / "presets" for root in roots or ()]
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}


def load_preset(name_or_path: str) -> Preset:
    """The preset of that name, or of the YAML file at that path; no network is loaded yet.

    Raises:
        PresetError: there is no such preset, or the file does not follow the rules.

    >>> from pairloom import load_preset
    >>> load_preset("sd14").diffusion.location
    'CompVis/stable-diffusion-v1-4'
    """
    known = built_in_presets()
    path = known.get(name_or_path, Path(name_or_path).expanduser())
    if not path.is_file():
        raise PresetError(
            f"no preset {name_or_path!r}: neither a file nor one of {', '.join(sorted(known))}"
        )
    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PresetError(f"{path}: not readable as YAML ({type(error).__name__})") from error
    try:
        return preset_from(fields, name=path.stem, folder=path.parent)
    except (PresetError, ModelError) as error:
        raise PresetError(f"{path}: {error}") from error


def preset_from(fields: Any, *, name: str, folder: Path) -> Preset:
    """The preset in plain data; locations that begin with `.` are relative to `folder`.

    Raises:
        PresetError: unknown or missing parts.
        ModelError: a part that does not follow the rules of `ModelSpec`.
    """
    if not isinstance(fields, Mapping):
        raise PresetError("must map parts to models")
    unknown = sorted(str(part) for part in fields if part not in PART_NAMES)
    if unknown:
        raise PresetError(f"unknown part {unknown[0]!r}; allowed are {', '.join(PART_NAMES)}")
    missing = [part for part in _REQUIRED if fields.get(part) is None]
    if missing:
        raise PresetError(f"part {missing[0]} is missing")
    specs: dict[str, ModelSpec] = {}
    for part, value in fields.items():
        if not isinstance(value, Mapping):
            raise PresetError(f"part {part} must map loader, location and revision")
        specs[part] = _beside(spec_from(value, where=part), folder)
    return Preset(name=name, **specs)


def _beside(spec: ModelSpec, folder: Path) -> ModelSpec:
    if not spec.location.startswith("."):
        return spec
    return dataclasses.replace(spec, location=str((folder / spec.location).resolve()))
