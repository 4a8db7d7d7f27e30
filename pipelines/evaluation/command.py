"""`pairloom evaluate DIR --out EVAL`: editors measured on a data set of pairs."""

import argparse
from collections.abc import Sequence
from typing import Any

from editing.registry import BASELINE, COMPARED, EDITORS
from indexes.folder_lock import lock_folder
from pipelines.sources import open_source
from pipelines.terminal.arguments import (
    JSON_HELP,
    existing_folder,
    finite_number,
    local_path,
    whole_number,
)
from pipelines.terminal.console import (
    EXIT_USAGE,
    CommandError,
    print_json_line,
    print_note,
    print_table,
)
from pipelines.terminal.editor_arguments import (
    ChosenEditor,
    add_editing_flags,
    add_editors_flag,
    add_model_flags,
    editing_extra,
    read_editors,
)
from transforms.presets import Preset, load_preset

PAGE, FIGURES = "evaluation.html", "figures.json"
FEATURES = ("judge", "clip", "inception")
LPIPS_NETWORKS = ("alex", "vgg", "squeeze")
_DIAL = "dial:"


def add_parser(subparsers: Any) -> None:
    """Adds `evaluate` to the command line."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure editors on a data set of pairs",
        description="Make the edits that the pairs of DIR ask for by several editors, at several "
        "turns of their dials and with several seeds, measure them, and write figures and a page. "
        "Run again after an interruption, it goes on where it was; more editors can be added "
        "later.",
    )
    parser.add_argument("dataset", type=existing_folder, metavar="DIR", help="made by build")
    parser.add_argument("--out", required=True, type=local_path, metavar="EVAL")
    add_editors_flag(parser, list(EDITORS), COMPARED)
    parser.add_argument(
        "--baseline",
        choices=list(EDITORS),
        metavar="NAME",
        help=f"the editor that all others are compared with (default {BASELINE} where it is among "
        "them, else the first)",
    )
    add_model_flags(parser)
    _add_dial_flags(parser)
    parser.add_argument("--seeds", nargs="+", type=whole_number(0), default=[0, 1, 2])
    parser.add_argument("--edits", type=whole_number(1), default=500, help="default 500")
    parser.add_argument(
        "--balanced",
        action="store_true",
        help="as many edits to every target word as to every other, as far as there are so many",
    )
    parser.add_argument("--batch-size", type=whole_number(1), default=16)
    parser.add_argument(
        "--features",
        choices=FEATURES,
        default=None,
        help="what FID compares: the still life's judge, the preset's CLIP, or InceptionV3, which "
        "is fetched (default: what the preset names, else CLIP)",
    )
    parser.add_argument(
        "--lpips",
        choices=LPIPS_NETWORKS,
        default=None,
        help="measure LPIPS from the source too, by this network, which is fetched",
    )
    parser.add_argument("--json", action="store_true", help=JSON_HELP)
    add_editing_flags(parser, with_dials=False)
    parser.set_defaults(run=run)


def _add_dial_flags(parser: argparse.ArgumentParser) -> None:
    """One flag for every dial that an editor has: what it is turned to."""
    group = parser.add_argument_group("turns of the editors' dials")
    for flag, names in _dial_holders().items():
        dials = [dial for name in names if (dial := EDITORS[name].dial) is not None]
        values = " ".join(f"{value:g}" for value in dials[0].values)
        group.add_argument(
            f"--{flag}",
            dest=f"{_DIAL}{flag}",
            nargs="+",
            type=finite_number,
            metavar="VALUE",
            help=f"values of {dials[0].setting} for {', '.join(names)} (default {values})",
        )


def _dial_holders() -> dict[str, list[str]]:
    """The editors whose dial each flag turns."""
    holders: dict[str, list[str]] = {}
    for spec in EDITORS.values():
        if spec.dial is not None:
            holders.setdefault(spec.dial.flag, []).append(spec.name)
    return holders


def run(arguments: argparse.Namespace) -> int:
    """Measures, writes figures and page, prints each editor at its best."""
    with editing_extra():
        from pipelines.evaluation.job import evaluate, read_numbers
        from pipelines.evaluation.known_metrics import SHOWN
        from pipelines.evaluation.notes import count_odd_masks
        from pipelines.evaluation.page import make_page
        from pipelines.evaluation.summary import (
            load_features,
            measure_fid,
            read_notes,
            summarise,
        )
    from transforms.dataset.files import dump_json, write_bytes

    plan = read_plan(arguments)
    cells = plan.cells
    name = choose_features(arguments.features, plan.preset)
    baseline = choose_baseline(arguments.baseline, plan.editors)
    features = load_features(name, plan.preset.encoder)
    with lock_folder(plan.folder, "pairloom evaluate", tell=print_note):
        cases = evaluate(plan)
        fid = measure_fid(plan.folder, cells, cases, features=features)
        numbers = {cell: read_numbers(plan.folder, cell) for cell in cells}
        summary = summarise(
            numbers,
            baseline=baseline,
            fid=fid,
            notes=read_notes(plan.folder, cells),
            odd_masks=count_odd_masks(cases),
        )
        write_bytes(plan.folder / FIGURES, dump_json(summary.as_dict()))
        page = make_page(plan, summary, cases, features=name)
        write_bytes(plan.folder / PAGE, page.encode())
    best = summary.best.values()
    print_table(
        f"each editor at its best (by {summary.by})",
        [
            (metric.label, *(str(summary.figures[point].get(each, "")) for point in best))
            for each, metric in SHOWN.items()
            if any(each in summary.figures[point] for point in best)
        ],
        columns=("", *map(str, best)),
    )
    for line in summary.lines():
        print_note(line)
    if plan.lpips is not None and not any("lpips" in each for each in summary.figures.values()):
        print_note("LPIPS was not measured: all pictures are too small for its network")
    print(f"page: {plan.folder / PAGE}")
    if arguments.json:
        print_json_line(summary.as_dict())
    return 0


def choose_features(wanted: str | None, preset: Preset) -> str:
    """What FID compares, one of `FEATURES`: what is wanted, else the preset's choice, else CLIP.

    Raises:
        CommandError: the preset's choice is none.
    """
    name = wanted or preset.defaults.get("features", "clip")
    if name not in FEATURES:
        raise CommandError(
            f"preset {preset.name}: features must be one of {', '.join(FEATURES)}, got {name!r}"
        )
    return name


def choose_baseline(wanted: str | None, editors: tuple[ChosenEditor, ...]) -> str:
    """The editor that others are compared with, one of `editors`.

    Raises:
        CommandError: the one that is wanted is not among them.
    """
    names = [editor.name for editor in editors]
    if wanted is not None and wanted not in names:
        raise CommandError(
            f"--baseline must be one of --editors ({', '.join(names)}), got {wanted}",
            exit_code=EXIT_USAGE,
        )
    return wanted or (BASELINE if BASELINE in names else names[0])


def read_plan(arguments: argparse.Namespace) -> Any:
    """The evaluation that the flags ask for.

    Raises:
        CommandError: a value that breaks a rule.
    """
    from editing.evaluation.measurer import turn_dial
    from pipelines.evaluation.job import EvaluatePlan

    preset = load_preset(arguments.preset)
    names = list(dict.fromkeys(arguments.editors))
    editors = read_editors(arguments, preset, names, compared=True, open_source=open_source)
    plan = EvaluatePlan(
        dataset=arguments.dataset,
        folder=arguments.out,
        preset=preset,
        editors=tuple(editors),
        seeds=tuple(dict.fromkeys(arguments.seeds)),
        dial_values=read_dials(arguments, names),
        edits=arguments.edits,
        balanced=arguments.balanced,
        batch_size=arguments.batch_size,
        lpips=arguments.lpips,
    )
    try:
        for editor in editors:
            for value in plan.values(editor):
                turn_dial(editor.choice.spec, editor.settings, value)
    except ValueError as error:
        raise CommandError(str(error), exit_code=EXIT_USAGE) from error
    return plan


def read_dials(arguments: argparse.Namespace, names: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """The values that flags give to dials, by flag.

    Raises:
        CommandError: a flag turns no dial of the editors `names`.
    """
    given = {
        name.removeprefix(_DIAL): tuple(sorted(set(values)))
        for name, values in vars(arguments).items()
        if name.startswith(_DIAL) and values is not None
    }
    holders = _dial_holders()
    for flag in given:
        if not set(holders[flag]) & set(names):
            raise CommandError(
                f"--{flag} turns the dial of {', '.join(holders[flag])}, none of which is measured",
                exit_code=EXIT_USAGE,
            )
    return given
