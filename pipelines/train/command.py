"""`pairloom train DIR --out RUN`: an editor trained on a data set of pairs, or on an index."""

import argparse
from typing import Any

from editing.registry import EDITORS
from editing.training.loop_settings import LoopSettings
from editing.training.pair_settings import PairSettings
from pipelines.terminal.arguments import JSON_HELP, existing_folder, local_path
from pipelines.terminal.console import print_json_line, print_table
from pipelines.terminal.editor_arguments import add_editor_flag, editing_extra
from pipelines.terminal.settings_arguments import (
    GivenSettings,
    Owners,
    add_set_flag,
    add_settings_flags,
    for_help,
)
from transforms.presets import load_preset

LOOP, PAIRS = "training", "pairs"
_SHARED: Owners = {LOOP: LoopSettings, PAIRS: PairSettings}


def add_parser(subparsers: Any) -> None:
    """Adds `train` to the command line."""
    parser = subparsers.add_parser(
        "train",
        help="train an editor on a data set of pairs, or on an index",
        description="Train an editor on the pairs of DIR, which is verified first, or on the "
        "pictures of an index, and write what "
        "edit, edit-images and evaluate take as --model. Run again after an interruption, it goes "
        "on from its last checkpoint and ends with the same weights. On several GPUs: accelerate "
        "launch -m pairloom train DIR ...",
    )
    parser.add_argument("dataset", type=existing_folder, metavar="DIR", help=_data_help())
    parser.add_argument(
        "--out", required=True, type=local_path, metavar="RUN", help="folder of the run"
    )
    trained = _trained()
    add_editor_flag(parser, list(trained), next(iter(trained)))
    parser.add_argument("--preset", default="stilllife", help="networks to use (default stilllife)")
    add_settings_flags(parser, _SHARED, title="settings of")
    add_settings_flags(parser, trained, title="settings of the loss of")
    add_set_flag(parser)
    parser.add_argument("--json", action="store_true", help=JSON_HELP)
    parser.set_defaults(run=run)


def _data_help() -> str:
    of_index = [n for n, each in EDITORS.items() if each.recipe and each.recipe.data == "index"]
    return for_help(f"made by build; for {', '.join(of_index)} made by index")


def _trained() -> Owners:
    """The settings of every editor that can be trained."""
    return {name: spec.recipe.settings for name, spec in EDITORS.items() if spec.recipe is not None}


def run(arguments: argparse.Namespace) -> int:
    """Trains, and tells where the editor is."""
    with editing_extra():
        from pipelines.train.job import train
    summary = train(read_plan(arguments))
    if summary is None:
        return 0  # one of several processes; another speaks for all
    print_table(
        f"run {summary.folder}",
        [
            ("steps", summary.steps),
            ("made now", summary.steps_made),
            *((f"{name}, last", value) for name, value in summary.terms.items()),
            *((name.replace("_", " "), number) for name, number in summary.counts.items()),
        ],
    )
    print(f"editor: {summary.editor}")
    if arguments.json:
        print_json_line(summary.as_dict())
    return 0


def read_plan(arguments: argparse.Namespace) -> Any:
    """The run that the flags ask for.

    Raises:
        CommandError: a value that breaks a rule.
    """
    from pipelines.train.job import TrainPlan

    given = GivenSettings(arguments, {**_SHARED, **_trained()})
    spec = EDITORS[arguments.editor]
    assert spec.recipe is not None, "only editors that are trained can be chosen"
    given.refuse_foreign((LOOP, *([PAIRS] if spec.recipe.data == PAIRS else []), spec.name))
    return TrainPlan(
        dataset=arguments.dataset,
        folder=arguments.out,
        preset=load_preset(arguments.preset),
        spec=spec,
        loop=given.make(LOOP, defaults=spec.recipe.loop),
        pairs=given.make(PAIRS) if spec.recipe.data == PAIRS else PairSettings(),
        objective=given.make(spec.name),
    )
