"""From the flags of a cleaning command to its options."""

import argparse
from pathlib import Path
from typing import Any

from indexes.errors import PairloomError
from pipelines.cleaning.options import CleanOptions, read_caps, read_splits
from pipelines.terminal.clean_arguments import read_filter_file
from pipelines.terminal.console import EXIT_USAGE, CommandError, print_table
from transforms.dataset.clean_schema import CLEAN, split_names, split_of_shard
from transforms.dataset.manifest import Manifest
from transforms.filter_rules import read_rules
from transforms.presets import Preset, PresetError, load_preset


def read_clean_options(arguments: argparse.Namespace, *, seed: int) -> CleanOptions:
    """The options that the flags of `add_clean_flags` ask for.

    Raises:
        CommandError: one of them says nothing.
    """
    try:
        options = CleanOptions(
            seed=seed,
            splits={} if arguments.splits is None else read_splits(arguments.splits),
            filters=read_rules(arguments.filter, read_filter_file(arguments.filters)),
            caps=read_caps(arguments.cap),
            one_a_group=arguments.one_a_group,
        )
    except CommandError:
        raise
    except PairloomError as error:
        raise CommandError(str(error), exit_code=EXIT_USAGE) from error
    if "aesthetic" in options.filters and arguments.aesthetic_head is None:
        raise CommandError(
            "--filter aesthetic needs the head that scores: --aesthetic-head FILE",
            exit_code=EXIT_USAGE,
        )
    return options


def read_encoder_preset(name: str | None, manifest: Manifest, folder: Path) -> Preset:
    """The preset whose encoder looks at the pictures: `name`, or the one that made the pairs.

    Raises:
        CommandError: neither can be loaded.
    """
    made_with = manifest.configuration.get("preset")
    wanted = name or (made_with if isinstance(made_with, str) else None)
    if wanted is None:
        raise CommandError(
            f"{folder} does not say with which preset it was made: name one with --preset",
            exit_code=EXIT_USAGE,
        )
    try:
        return load_preset(wanted)
    except PresetError as error:
        raise CommandError(f"--preset {wanted}: {error}", exit_code=EXIT_USAGE) from error


def split_counts(manifest: Manifest) -> dict[str, int]:
    """The pairs of each split, in the order of the splits; empty where there are none."""
    names = split_names(manifest.configuration)
    counts = dict.fromkeys(names, 0)
    for shard in manifest.shards:
        name = split_of_shard(shard.number, shard.of, names)
        if name is not None:
            counts[name] += shard.counts.pairs
    return counts


def summarise(manifest: Manifest, folder: Path) -> dict[str, Any]:
    """What a cleaned data set came to, as plain data."""
    return {
        "dataset": str(folder),
        "pairs_before": manifest.configuration[CLEAN]["pairs_before"],
        "pairs": manifest.counts.pairs,
        "splits": split_counts(manifest),
        "rejects": manifest.counts.rejects,
    }


def print_clean_summary(manifest: Manifest, folder: Path, stages: tuple[str, ...]) -> None:
    """The table at the end of a cleaning; `stages` are those whose rejects are shown."""
    summary = summarise(manifest, folder)
    print_table(
        f"data set {folder}",
        [
            ("pairs before", summary["pairs_before"]),
            *(
                (f"dropped, {stage}: {reason}", number)
                for stage in stages
                for reason, number in sorted(summary["rejects"].get(stage, {}).items())
            ),
            ("pairs", summary["pairs"]),
            *((f"of these in {name}", number) for name, number in summary["splits"].items()),
        ],
    )
