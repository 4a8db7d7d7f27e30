"""Presets: which network plays which part, each with its location and pinned revision.

A preset is a small YAML file that maps parts to models. A pipeline needs the parts `captioner`,
`encoder` and `segmenter`; what else there is, editors name, and nobody need ask for it: a part that
is not asked for is neither looked for, hashed nor loaded. Under `defaults` stand choices that suit
these models. The built-in presets lie in `data_manifests/presets/`; a path names one of your own,
in which a location such as `./clip` is a folder beside the file.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from indexes.errors import PairloomError
from indexes.storage.paths import as_path, is_stored
from transforms.models.devices import (
    AUTO,
    CPU,
    CPU_DTYPE,
    check_device,
    check_dtype,
    describe_placements,
    fill_rows,
    place,
)
from transforms.models.files import identity
from transforms.models.loading import rows_of_spec
from transforms.models.spec import ModelError, ModelSpec, spec_from
from transforms.package_data import package_folders

PIPELINE_PARTS = ("captioner", "encoder", "segmenter")
"""What every preset has, since the pipeline needs it."""

DEFAULTS = "defaults"

USUAL_BATCH_SIZE = 32
"""Pictures of a batch where networks compute on the CPU."""


class PresetError(PairloomError):
    """A preset that cannot be used, in one line that names the file and the rule."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """The networks of a run by the parts they play, such as `encoder` or `diffusion`.

    Each part says what to load, where from and at which revision; nothing is loaded yet. `defaults`
    are choices that a command makes where a person makes none, by the name of the flag: `senses` of
    `build`, `features` of `evaluate`, `tokens` of the editor `zestguide`.

    >>> from pairloom import Preset, load_preset
    >>> preset = load_preset("stilllife")
    >>> isinstance(preset, Preset), preset.encoder.loader, preset.encoder.location
    (True, 'clip', 'package:stilllife/weights/clip')
    """

    name: str
    parts: Mapping[str, ModelSpec]
    defaults: Mapping[str, str] = field(default_factory=dict)

    def part(self, name: str) -> ModelSpec:
        """The model that plays a part.

        Raises:
            PresetError: no model does.
        """
        if name not in self.parts:
            known = ", ".join(sorted(self.parts))
            raise PresetError(f"preset {self.name} names no {name} model; it has {known}")
        return self.parts[name]

    @property
    def captioner(self) -> ModelSpec:
        """What describes pictures."""
        return self.part("captioner")

    @property
    def encoder(self) -> ModelSpec:
        """What maps pictures and texts into one space."""
        return self.part("encoder")

    @property
    def segmenter(self) -> ModelSpec:
        """What finds in a picture what a phrase names."""
        return self.part("segmenter")

    def choices(self, otherwise: Mapping[str, str]) -> dict[str, str]:
        """Choices by name: those of `defaults`, and `otherwise` where nothing is said there."""
        return {name: self.defaults.get(name, value) for name, value in otherwise.items()}

    def placements(self, parts: Iterable[str]) -> dict[str, dict[str, object]]:
        """Where those of `parts` compute that do not by the CPU in float32; for a manifest.

        Raises:
            PresetError: no model plays one of them.
        """
        return describe_placements({name: self.part(name) for name in parts})

    def describe(self) -> dict[str, object]:
        """The preset as plain data, for a manifest."""
        parts = {name: spec.describe() for name, spec in self.parts.items()}
        return {"name": self.name, **parts}

    def identities(self, parts: Iterable[str] = PIPELINE_PARTS) -> dict[str, str]:
        """One line for each of `parts` that tells its model from any other; see `identity`.

        Raises:
            PresetError: no model plays one of them.
            ModelError: local weights that would have to be hashed are not there.
        """
        return {name: identity(self.part(name)) for name in parts}


def place_preset(preset: Preset, *, device: str = AUTO, dtype: str = AUTO) -> Preset:
    """`preset` with nothing left open about where its networks compute and how precisely.

    `device` is for all parts, `dtype` for those of the pipeline; `auto` means what a part's own
    options say, and else cuda, mps or cpu, whichever is here, and float16 on a GPU, float32 on the
    CPU. A part that comes to the CPU and float32, and says nothing itself, stays as it is.

    Raises:
        PresetError: they are no words for a device and a precision.

    >>> from transforms.presets import load_preset, place_preset
    >>> dict(place_preset(load_preset("stilllife"), device="cuda").encoder.options)
    {'device': 'cuda', 'dtype': 'float16'}
    """
    try:
        check_device(device)
        check_dtype(dtype)
        parts = {
            name: _placed(spec, device, dtype if name in PIPELINE_PARTS else None)
            for name, spec in preset.parts.items()
        }
    except ValueError as error:
        raise PresetError(str(error)) from error
    return dataclasses.replace(preset, parts=parts)


def _placed(spec: ModelSpec, device: str, dtype: str | None) -> ModelSpec:
    """`spec` with its device and, unless None, its precision as options."""
    options = dict(spec.options)
    if device == AUTO:
        device = str(options.get("device", AUTO))
    if dtype == AUTO:
        dtype = str(options.get("dtype", AUTO))
    placement = place(device, dtype or AUTO)
    if placement.device != options.get("device", CPU):
        options["device"] = placement.device
    if dtype is not None and placement.dtype != options.get("dtype", CPU_DTYPE):
        options["dtype"] = placement.dtype
    return dataclasses.replace(spec, options=tuple(options.items()))


def choose_batch_size(preset: Preset, parts: Iterable[str] = PIPELINE_PARTS) -> int:
    """How many pictures a batch should have so that the networks of `parts` see little padding.

    As many as the one that sees most at once, and `USUAL_BATCH_SIZE` at least.

    Raises:
        PresetError: no model plays one of the parts.
        ModelError: an option that its loader does not have.
    """
    rows = max(rows_of_spec(preset.part(name)) for name in parts)
    return fill_rows(rows, least=USUAL_BATCH_SIZE)


def built_in_presets() -> dict[str, Path]:
    """The presets that come with the distribution, by name."""
    folders = [folder / "presets" for folder in reversed(package_folders("data_manifests"))]
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}


def load_preset(name_or_path: str) -> Preset:
    """The preset of that name, or of the YAML file at that path; no network is loaded yet.

    Raises:
        PresetError: there is no such preset, or the file does not follow the rules.

    >>> from pairloom import load_preset
    >>> load_preset("sd14").part("diffusion").location
    'CompVis/stable-diffusion-v1-4'
    """
    known = built_in_presets()
    path = known.get(name_or_path) or as_path(name_or_path).expanduser()
    if is_stored(path):
        raise PresetError(f"a preset must be a file on this machine, got {name_or_path}")
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
        PresetError: missing parts, or names that are none.
        ModelError: a part that does not follow the rules of `ModelSpec`.
    """
    if not isinstance(fields, Mapping):
        raise PresetError("must map parts to models")
    parts = {str(part): value for part, value in fields.items() if part != DEFAULTS}
    missing = [part for part in PIPELINE_PARTS if parts.get(part) is None]
    if missing:
        raise PresetError(f"part {missing[0]} is missing")
    specs: dict[str, ModelSpec] = {}
    for part, value in parts.items():
        if not part.isidentifier():
            raise PresetError(f"a part must be named by letters, digits and _, got {part!r}")
        if not isinstance(value, Mapping):
            raise PresetError(f"part {part} must map loader, location and revision")
        specs[part] = _beside(spec_from(value, where=part), folder)
    return Preset(name=name, parts=specs, defaults=_defaults_from(fields.get(DEFAULTS, {})))


def _defaults_from(values: Any) -> dict[str, str]:
    if not isinstance(values, Mapping) or not all(
        isinstance(name, str) and isinstance(value, str) for name, value in values.items()
    ):
        raise PresetError(f"{DEFAULTS} must map names to words, got {values!r}")
    return dict(values)


def _beside(spec: ModelSpec, folder: Path) -> ModelSpec:
    if not spec.location.startswith("."):
        if spec.revision is not None:
            return spec
        beside = Path(spec.location).expanduser()
        # A worker that loads it may stand in another folder.
        whole = str(beside.absolute()) if beside.exists() else spec.location
        return dataclasses.replace(spec, location=whole)
    return dataclasses.replace(spec, location=str((folder / spec.location).resolve()))
