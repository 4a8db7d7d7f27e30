"""From a choice of editor, weights and regions to an editor that edits. Loads networks when asked.

`load_editor` is the short way for a person; a command makes an `EditorChoice`, which can be
recorded and pickled to a worker before anything is loaded.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from PIL import Image

from editing.editor import Editor, EditorSpec
from editing.errors import EditError, SettingError
from editing.layouts import Layout
from editing.parts import OpenSource, Parts
from editing.regions.explaining import draw_region
from editing.regions.finder import FoundRegion, RegionFinder, RegionSpec, find_missing
from editing.regions.registry import NO_REGIONS, find_regions_spec
from editing.registry import find_editor
from editing.remarks import remark_on_mask
from editing.requests import EditOutput, OnStep, Request
from editing.settings import chosen_numbers, make_settings, require_numbers
from indexes.storage.paths import on_this_machine
from transforms.presets import Preset, load_preset

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class EditorChoice:
    """An editor with its parts and regions, not yet loaded. Small and picklable.

    `regions` is None where nothing looks for masks; `region_settings` are those of that finder.
    """

    spec: EditorSpec[Any]
    parts: Parts
    regions: RegionSpec[Any] | None = None
    region_settings: Any = None

    @property
    def part_names(self) -> tuple[str, ...]:
        """All parts that are needed whatever the settings, keys of `PART_LOADERS`."""
        names = (*self.spec.parts, *(self.regions.parts if self.regions else ()))
        given = self.spec.model.part if self.spec.model else None
        if given is None or given in names or given not in self.parts.replaced:
            return names
        return (*names, given)

    def describe(self, settings: Any) -> dict[str, Any]:
        """What edits depend on, as plain data, beside the `settings` they are made with.

        Raises:
            PresetError, ModelError: a part is not there.
        """
        regions = None
        if self.regions is not None:
            chosen = dataclasses.asdict(self.region_settings)
            regions = {"name": self.regions.name, "settings": chosen}
        names = (*self.part_names, *self.spec.settings_parts(settings))
        defaults = self.parts.preset.choices(self.spec.preset_defaults(settings))
        read = dict(self.spec.reads(settings))
        return {
            "editor": self.spec.name,
            "models": self.parts.identities(names),
            "dtype": self.parts.dtype,
            "regions": regions,
            **({"defaults": defaults} if defaults else {}),
            **({"reads": read} if read else {}),
        }

    def describe_edits(self, settings: Any) -> dict[str, Any]:
        """The same with the settings, and with the numbers that named ways stand for today.

        Raises:
            PresetError, ModelError: a part is not there.
        """
        numbers = {
            "settings": chosen_numbers(settings),
            "regions": chosen_numbers(self.region_settings),
        }
        chosen = {name: each for name, each in numbers.items() if each}
        return {
            **self.describe(settings),
            "settings": dataclasses.asdict(settings),
            **({"chosen": chosen} if chosen else {}),
        }

    def load(self) -> "LoadedEditor":
        """The editor.

        Raises:
            PresetError, ModelError: a part is not there, or cannot be loaded.
        """
        finder = None
        if self.regions is not None:
            finder = self.regions.load(self.parts, self.region_settings)
        return LoadedEditor(self.spec, self.spec.load(self.parts), finder)


@dataclass(frozen=True, eq=False)
class LoadedEditor:
    """An editor that is ready: it finds masks where requests have none, and edits.

    `regions` is None where nothing looks for masks. `spec.settings` makes what `settings` takes.
    """

    spec: EditorSpec[Any]
    editor: Editor[Any]
    regions: RegionFinder | None = None

    @property
    def finds_masks(self) -> bool:
        """Whether masks of its edits are found by it: a layout's are given."""
        return self.regions is not None or "layout" not in self.spec.needs

    def __call__(
        self,
        image: Image.Image,
        prompt: str,
        *,
        source_prompt: str | None = None,
        edit_mask: Image.Image | None = None,
        mask_phrase: str | None = None,
        layout: Layout | None = None,
        settings: Any = None,
        seed: int = 0,
    ) -> EditOutput:
        """One picture edited; `settings` None for the editor's defaults. See `Request`.

        Raises:
            EditingError: the edit cannot be made.
        """
        import torch

        request = Request(
            image=image,
            prompt=prompt,
            source_prompt=source_prompt,
            edit_mask=edit_mask,
            mask_phrase=mask_phrase,
            layout=layout,
        )
        generator = torch.Generator().manual_seed(seed)
        return self.edit([request], settings or self.spec.settings(), [generator])[0]

    def edit(
        self,
        requests: Sequence[Request],
        settings: Any,
        generators: "Sequence[torch.Generator]",
        on_step: OnStep = lambda: None,
    ) -> list[EditOutput]:
        """The edits of a batch; see `editing.editor.Editor`.

        A mask that marks nothing or everything is remarked on, whoever made it. Where the editor
        does not explain an edit, a mask that was found for it is. `on_step` is called after the
        steps of the search too.

        Raises:
            SettingError: a setting is infinite or not a number.
            EditingError: an edit cannot be made, or a request lacks what the editor needs.
            ValueError: more or fewer generators than requests.
        """
        if len(generators) != len(requests):
            raise ValueError(f"there must be {len(requests)} generators, got {len(generators)}")
        if dataclasses.is_dataclass(settings):
            require_numbers(settings)
        for request in requests:
            check_needs(self.spec, request)
        found: dict[int, FoundRegion] = {}
        if self.regions is not None:
            found = find_missing(self.regions, requests, generators, on_step)
        with_masks = [
            dataclasses.replace(request, edit_mask=found[place].mask) if place in found else request
            for place, request in enumerate(requests)
        ]
        outputs = self.editor.edit(with_masks, settings, generators, on_step)
        return [
            _finish(output, request, found.get(place))
            for place, (output, request) in enumerate(zip(outputs, with_masks, strict=True))
        ]


def _finish(output: EditOutput, request: Request, found: FoundRegion | None) -> EditOutput:
    """An output with the mask that was used, what is to be said of it, and how it was found."""
    mask = output.edit_mask or request.edit_mask
    explain = output.explain
    if explain is None and found is not None:
        explain = partial(draw_region, request, found)
    return dataclasses.replace(
        output, edit_mask=mask, remarks=(*remark_on_mask(mask), *output.remarks), explain=explain
    )


def check_needs(spec: EditorSpec[Any], request: Request) -> None:
    """Make sure that a request has all that an editor needs.

    Raises:
        EditError: it lacks something.
    """
    for name in spec.needs:
        if getattr(request, name) is None:
            raise EditError(f"{spec.name} needs {name}, which this request has not")


def choose_editor(
    name: str,
    parts: Parts,
    *,
    model: Path | None = None,
    regions: str | None = None,
    region_values: Mapping[str, Any] = MappingProxyType({}),
) -> EditorChoice:
    """A choice by names: of an editor, of its weights, and of a region finder.

    `parts` are what it is loaded from; editors that share them load what they have in common once.
    `model` is a run of `train`, or a folder that holds the model itself; None for the preset's own.
    `regions` is a key of `REGIONS`, `none` for no masks, None for the editor's own.
    `region_values` are settings of the region finder.

    Raises:
        SettingError: an unknown name, a model that is needed or cannot be used, or a bad value.
    """
    spec = find_editor(name)
    if spec.needs_model and model is None:
        raise SettingError(f"--editor {name} needs --model, a run of `pairloom train`")
    if spec.model is None and model is not None:
        raise SettingError(f"--editor {name} takes no --model")
    replaced = {}
    if model is not None and spec.model is not None:
        replaced = {spec.model.part: spec.model.spec(model)}
    choice = EditorChoice(spec=spec, parts=parts.with_replaced(replaced))
    wanted = spec.own_regions(with_model=model is not None) if regions is None else regions
    if model is not None and spec.model_regions not in (None, wanted):
        raise SettingError(
            f"--model of {name} is a network that finds regions: it needs --regions "
            f"{spec.model_regions}, got {wanted}"
        )
    if wanted is not None and wanted != NO_REGIONS:
        finder = find_regions_spec(wanted)
        usual = spec.region_defaults if wanted == spec.regions else {}
        values = {**usual, **region_values}
        settings = make_settings(finder.settings, values, owner=finder.name)
        return dataclasses.replace(choice, regions=finder, region_settings=settings)
    for name in region_values:
        raise SettingError(f"{name} is of regions, and none are looked for")
    return choice


def load_editor(
    name: str,
    preset: str | Preset = "stilllife",
    *,
    model: str | Path | None = None,
    regions: str | None = None,
    device: str | None = None,
    dtype: str | None = None,
    open_source: OpenSource | None = None,
) -> LoadedEditor:
    """The editor `name`, ready to edit, by the models of a preset.

    `model` is a run of `pairloom train`, which trained editors need. `regions` names a region
    finder, `none` for none; None for the editor's own choice. `device` is torch's word, `dtype` the
    diffusion model's precision: float32, float16 or bfloat16. `open_source` is
    `pairloom.open_source`, for editors that look into an index.

    Called `editor(image, prompt, seed=0)` with an RGB picture of any size and what the result shall
    show, it gives an `EditOutput`, whose `image` is RGB and of the picture's size. The same seed
    gives the same picture. `editor.spec.settings` makes what its `settings` takes.

    Raises:
        SettingError: an unknown name, or a model that is needed and not given.
        PresetError, ModelError: a model is not named, not there, or cannot be loaded.
        StorageError: `model` is not on this machine.

    >>> from pairloom import load_editor, open_pairs
    >>> pair = open_pairs("small/pairs")[0]
    >>> editor = load_editor("sdedit")
    >>> settings = editor.spec.settings(strength=0.6, num_inference_steps=5)
    >>> edited = editor(pair.source_image, pair.edit_prompt, seed=0, settings=settings).image
    >>> edited.mode, edited.size == pair.source_image.size
    ('RGB', True)
    """
    chosen = load_preset(preset) if isinstance(preset, str) else preset
    parts = Parts(preset=chosen, device=device, dtype=dtype, open_source=open_source)
    place = on_this_machine(model) if model is not None else None
    return choose_editor(name, parts, model=place, regions=regions).load()
