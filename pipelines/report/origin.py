"""What a data set is: where its pictures come from, what made it, and whether to believe it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.report.dataset import FinishedDataset
from pipelines.report.distributions import MAXIMUM, MINIMUM, Threshold

STILL_LIFE_NETWORKS = "package:stilllife/"
"""How the location of a network begins that was trained on the still life."""

THRESHOLD_SCORES = (
    "rest",
    "word_order",
    "source_confidence",
    "target_confidence",
    "text_image_source",
    "text_image_target",
    "directional",
    "structure",
    "image_image",
    "quality",
)

SMALL_MODELS_ON_PHOTOGRAPHS = (
    "These pictures were described by the small models of the still life, which know thirteen "
    "drawn objects and cannot describe photographs. The captions, the edits and the pairs below "
    "are not to be believed: they show only that every picture is accounted for."
)
NO_TRUTH = (
    "No truth is known for this collection: whether a pair is right is for the eye to judge, and "
    "nothing on this page says that it is."
)
TRUTH_NOT_GIVEN = (
    "The still life knows the truth about every pair, but it was not asked for this page."
)


@dataclass(frozen=True)
class ModelUsed:
    """One of the models: the part it played, its name and the revision of its weights."""

    part: str
    name: str
    revision: str


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What made a data set, ready to be shown.

    `settings` is the configuration as dotted names and values, `seconds` the time by stage.
    """

    name: str
    preset: str
    source: str
    pool: str
    is_still_life: bool
    thresholds: tuple[Threshold, ...]
    models: tuple[ModelUsed, ...]
    settings: tuple[tuple[str, str], ...]
    software: tuple[tuple[str, str], ...]
    seconds: tuple[tuple[str, float], ...]

    @property
    def warning(self) -> str:
        """Why the pairs are not to be believed; empty where there is no such reason."""
        small = any(STILL_LIFE_NETWORKS in model.name for model in self.models)
        misled = small and not self.is_still_life
        return SMALL_MODELS_ON_PHOTOGRAPHS if misled else ""


def read_origin(dataset: FinishedDataset) -> Origin:
    """Read off manifest and run summary what made `dataset`."""
    manifest = dataset.manifest
    seconds = dataset.run_summary.get("seconds", {})
    return Origin(
        name=dataset.folder.resolve().name,
        preset=name_preset(manifest.configuration),
        source=name_source(manifest.source),
        pool=name_source(manifest.pool),
        is_still_life=is_still_life(manifest.source) and is_still_life(manifest.pool),
        thresholds=read_thresholds(manifest.configuration.get("thresholds", {})),
        models=tuple(name_models(manifest.models)),
        settings=tuple(flatten(manifest.configuration)),
        software=tuple(sorted(manifest.software.items())),
        seconds=tuple(seconds.items()) if isinstance(seconds, Mapping) else (),
    )


def flatten(data: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The leaves of nested plain data, as dotted name and text, in order."""
    if isinstance(data, Mapping) and data:
        for name, value in data.items():
            yield from flatten(value, f"{prefix}.{name}" if prefix else str(name))
    elif isinstance(data, list | tuple) and data and not all_plain(data):
        for place, value in enumerate(data):
            yield from flatten(value, f"{prefix}.{place}")
    elif isinstance(data, list | tuple):
        yield prefix, ", ".join(map(str, data)) or "none"
    else:
        yield prefix, "none" if data is None or data == {} else str(data)


def all_plain(data: list[Any] | tuple[Any, ...]) -> bool:
    """Whether no element of `data` is itself a list or a mapping."""
    return not any(isinstance(value, Mapping | list | tuple) for value in data)


def name_preset(configuration: Mapping[str, Any]) -> str:
    """The name of the preset in a configuration; empty where it names none."""
    preset = configuration.get("preset", "")
    return str(preset.get("name", "") if isinstance(preset, Mapping) else preset)


def is_still_life(source: Mapping[str, Any]) -> bool:
    """Whether a source, as `Source.describe` gives it, is the built-in world."""
    return source.get("kind") == "still-life"


def name_source(source: Mapping[str, Any]) -> str:
    """A source in a few words: its kind, and its file or folder, or its number of pictures."""
    kind = str(source.get("kind", "unknown"))
    if is_still_life(source):
        return f"still life, {source.get('count', '?')} pictures, seed {source.get('seed', '?')}"
    where = str(source.get("path") or source.get("metadata") or "")
    return f"{kind} {where.rstrip('/').rsplit('/', 1)[-1]}".strip()


def name_models(models: Mapping[str, Any]) -> Iterator[ModelUsed]:
    """Part, name and revision of each model; a part without a model is left out."""
    for part, model in sorted(models.items()):
        if isinstance(model, Mapping):
            name = model.get("id") or model.get("name") or model.get("location") or "unnamed"
            yield ModelUsed(part, str(name), str(model.get("revision") or ""))
        elif model is not None:
            yield ModelUsed(part, str(model), "")


def read_thresholds(values: Mapping[str, Any]) -> tuple[Threshold, ...]:
    """The thresholds of Select, from the plain data of its `SelectionThresholds`.

    Checks that are switched off are left out, and so is what is no threshold.
    """
    found = []
    if values.get("require_new_word"):
        found.append(Threshold("new_word", MINIMUM, 1.0))
    if values.get("forbid_old_word"):
        found.append(Threshold("old_word", MAXIMUM, 0.0))
    for name in THRESHOLD_SCORES:
        value = values.get(name)
        if isinstance(value, int | float):
            side = MAXIMUM if name == "image_image" else MINIMUM
            found.append(Threshold(name, side, float(value)))
    return tuple(found)
