"""A build that cleans what it made: the pairs lie in a folder below the clean ones."""

import argparse
from pathlib import Path

from indexes.storage.paths import as_path, on_this_machine
from pipelines.build.plan import BuildPlan
from pipelines.cleaning.job import run_clean
from pipelines.cleaning.options import CleanOptions
from pipelines.cleaning.plan import CleanPlan
from pipelines.running.execution import Execution
from pipelines.terminal.console import CommandError
from transforms.dataset.manifest import MANIFEST, Manifest

BEFORE = "before"
"""Where in the folder of a cleaned data set the pairs lie as they were before."""


def choose_folder(arguments: argparse.Namespace, options: CleanOptions) -> Path:
    """Where the pairs are made: in `--out`, or below it where they are cleaned afterwards.

    Raises:
        CommandError: `--out` holds a data set that was not made so, and is not to be overwritten.
        StorageError: it is on a store, and the pairs are to be cleaned.
    """
    out: Path = arguments.out
    if options.is_nothing:
        return out
    out = on_this_machine(out)
    if (out / MANIFEST).exists() and not (out / BEFORE).exists() and not arguments.overwrite:
        raise CommandError(
            f"{out} holds a data set that was not cleaned: choose another folder, or clean it "
            f"with `pairloom clean {out} --out DIR2`"
        )
    return out / BEFORE


def clean_pairs(
    arguments: argparse.Namespace, plan: BuildPlan, options: CleanOptions, execution: Execution
) -> Manifest:
    """Cleans the pairs of `plan` into the folder that was asked for.

    Raises:
        whatever `run_clean` raises.
    """
    wanted = CleanPlan(
        folder=as_path(plan.folder),
        out=arguments.out,
        options=options,
        preset=plan.preset,
        index=plan.index_folder if plan.service is None else None,
        aesthetic=arguments.aesthetic_head,
    )
    return run_clean(wanted, execution, overwrite=arguments.overwrite)
