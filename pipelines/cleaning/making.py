"""What the commands that make a clean data set of another share: their flags, begin and end."""

import argparse
from dataclasses import dataclass

from indexes.ssh_keys import SigningKey
from pipelines.cleaning.job import run_clean
from pipelines.cleaning.plan import CleanPlan
from pipelines.running.execution import Execution
from pipelines.running.execution_arguments import add_execution_flags, read_execution
from pipelines.terminal.console import EXIT_USAGE, CommandError
from pipelines.terminal.signing_arguments import (
    add_sign_flag,
    read_signing_key,
    write_signature,
)
from transforms.dataset.manifest import MANIFEST, Manifest


def add_preset_flag(parser: argparse.ArgumentParser) -> None:
    """`--preset`."""
    parser.add_argument(
        "--preset", help="whose encoder looks at the pictures (default: that of the pairs)"
    )


def add_making_flags(parser: argparse.ArgumentParser) -> None:
    """`--overwrite`, `--sign`, and those that say how wide to run."""
    parser.add_argument("--overwrite", action="store_true", help="replace another data set in DIR2")
    add_sign_flag(parser)
    add_execution_flags(parser)


@dataclass(frozen=True)
class Making:
    """How a data set is made: where and how wide, what it replaces, and by whom it is signed."""

    execution: Execution
    overwrite: bool
    key: SigningKey | None

    def run(self, plan: CleanPlan) -> Manifest:
        """Makes the data set, and signs it if asked to.

        Raises:
            whatever `run_clean` raises.
        """
        manifest = run_clean(plan, self.execution, overwrite=self.overwrite)
        if self.key is not None:
            write_signature(plan.out / MANIFEST, self.key)
        return manifest


def read_making(arguments: argparse.Namespace) -> Making:
    """What the flags of `add_making_flags` say.

    Raises:
        CommandError: they break a rule, or `--out` is the data set itself.
    """
    if arguments.out.resolve() == arguments.folder.resolve():
        raise CommandError(
            f"--out must be another folder, got {arguments.out}", exit_code=EXIT_USAGE
        )
    key = read_signing_key(arguments.sign)
    return Making(read_execution(arguments), arguments.overwrite, key)
