"""What an editor is: a protocol, and a spec that says all of it without loading anything.

An editor is a folder in `editing.editors` with a spec, and a line in `editing.registry`. Nothing
outside its folder knows its name: commands read the spec. Imports no network library.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar, runtime_checkable

from editing.parts import Parts
from editing.requests import EditOutput, OnStep, Request
from editing.settings import Dial, NoSettings
from editing.trained_part import TrainedPart

if TYPE_CHECKING:
    import torch

    from editing.training.objective import Objective

SettingsT = TypeVar("SettingsT")
AskedT = TypeVar("AskedT", contravariant=True)


@runtime_checkable
class Editor(Protocol[AskedT]):
    """Makes the edits that requests ask for."""

    def edit(
        self,
        requests: Sequence[Request],
        settings: AskedT,
        generators: "Sequence[torch.Generator]",
        on_step: OnStep,
    ) -> list[EditOutput]:
        """One output for each request, in order; its pictures have the source's size.

        `generators` has one generator for each request, from which all that is random in its edit
        is drawn: an edit does not depend on those beside it. Outside of an `edit_mask` the source
        stays as it is, as far as the editor can.

        Raises:
            EditingError: an edit cannot be made.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Recipe(Generic[SettingsT]):
    """How an editor is trained.

    `settings` are those of its loss, `parts` the parts that training with them needs, `load` the
    networks and the loss over them. `data` says on what: a data set of `pairs`, or the pictures of
    an `index` with their captions. `loop` has the settings of the training loop, by name, that
    suit it better than the loop's own defaults. `upgrade` brings the description of a run that an
    earlier version wrote to today's form; it raises a KeyError for what it does not know.
    """

    settings: type[SettingsT]
    parts: Callable[[SettingsT], tuple[str, ...]]
    load: "Callable[[Parts, SettingsT], Objective[Any, Any]]"
    data: Literal["pairs", "index"] = "pairs"
    loop: Mapping[str, Any] = field(default_factory=dict)
    upgrade: Callable[[dict[str, Any]], dict[str, Any]] | None = None


def no_defaults(settings: Any) -> Mapping[str, str]:
    """The choices of an editor for which a preset makes none."""
    return {}


def reads_nothing(settings: Any) -> Mapping[str, str]:
    """What an editor's settings name that is read, where they name nothing."""
    return {}


def no_more_parts(settings: Any) -> tuple[str, ...]:
    """The parts of an editor that needs the same ones whatever its settings."""
    return ()


@dataclass(frozen=True, kw_only=True)
class EditorSpec(Generic[SettingsT]):
    """An editor by its name, with all that commands need to know of it.

    | field | what it is |
    |---|---|
    | `name` | what a person types |
    | `summary` | what it does, in half a line |
    | `load` | makes the editor of its parts; imports networks inside |
    | `settings` | a frozen dataclass of `editing.settings.setting` fields |
    | `parts` | what it needs of a preset, keys of `editing.parts.PART_LOADERS` |
    | `settings_parts` | what it needs of a preset besides, as its settings ask for |
    | `preset_defaults` | what a preset chooses for it where its settings do not; see below |
    | `reads` | what its settings name that it reads: of each, what tells it from another |
    | `ranks` | it gives as many results as `Request.results` asks for, and ranks them itself |
    | `needs` | the fields of a `Request` that must be filled |
    | `needs_words` | it looks itself for what may change, by words (`Request.phrase`) |
    | `regions` | the region finder that it uses where a person names none, a key of `REGIONS` |
    | `region_defaults` | settings of that finder that hold where a person gives no others |
    | `dial` | see `Dial`; None: an evaluation makes one cell of it |
    | `model` | the part that `--model` replaces; None: there is none |
    | `model_regions` | the region finder that a model is of, used where one is given |
    | `needs_model` | it edits with trained weights alone |
    | `recipe` | how it is trained; None: it is not |

    `preset_defaults` has, by names under `defaults`, what holds where the preset says nothing. What
    it does not name the editor may not ask a preset for: edits are told apart by it.
    """

    name: str
    summary: str
    load: "Callable[[Parts], Editor[SettingsT]]"
    settings: type[SettingsT] = NoSettings  # type: ignore[assignment]
    parts: tuple[str, ...] = ()
    settings_parts: Callable[[SettingsT], tuple[str, ...]] = no_more_parts
    preset_defaults: Callable[[SettingsT], Mapping[str, str]] = no_defaults
    reads: Callable[[SettingsT], Mapping[str, str]] = reads_nothing
    ranks: bool = False
    needs: tuple[str, ...] = ()
    needs_words: bool = False
    regions: str | None = None
    region_defaults: Mapping[str, Any] = field(default_factory=dict)
    dial: Dial | None = None
    model: TrainedPart | None = None
    model_regions: str | None = None
    needs_model: bool = False
    recipe: Recipe[Any] | None = None

    def own_regions(self, *, with_model: bool) -> str | None:
        """The region finder that it uses where a person names none."""
        return (self.model_regions if with_model else None) or self.regions
