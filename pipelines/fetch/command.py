"""`pairloom fetch`: the pictures behind a list of links, into a folder that can be a source.

It goes on where an earlier run stopped, shard by shard. Dead links are normal and are counted by
reason; they do not make the command fail.
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path

from indexes.folder_lock import lock_folder
from indexes.storage.paths import as_path, is_stored
from pipelines.running.job_inputs import JobInputs, read_inputs, refuse_changed
from pipelines.sources import SourceSpec, read_spec
from pipelines.terminal.arguments import local_path
from pipelines.terminal.console import (
    EXIT_OK,
    CommandError,
    fail,
    print_json_line,
    print_note,
    print_table,
    show_progress,
)
from pipelines.terminal.nothing_made import nothing_made
from pipelines.terminal.source_filters import add_source_filter_flag, read_source_filters
from transforms.dataset.files import OutputError
from transforms.fetching.options import FetchOptions
from transforms.fetching.policy import contains, read_network
from transforms.fetching.store import fetch_shards, open_store, read_stats
from transforms.protocols import SourceError
from transforms.sources.laion import LaionMetadata, LinkShard
from transforms.sources.listing import list_source

_FLAGS = ("deadline_s", "silence_s", "in_flight", "per_host", "retries", "max_bytes")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the command line."""
    parser = subparsers.add_parser(
        "fetch",
        help="fetch the pictures of LAION metadata into a folder",
        description="Fetch the pictures behind LAION metadata into a folder in img2dataset's "
        "layout, which is then a SOURCE. Run again, it goes on where it stopped.",
    )
    defaults = FetchOptions()
    parser.add_argument(
        "source", metavar="SOURCE", help="a metadata .parquet file, a folder of them, or a .yaml"
    )
    parser.add_argument(
        "--out",
        type=local_path,
        metavar="DIR",
        help="where the pictures go (or `store` in SOURCE, for a folder below SOURCE's own)",
    )
    parser.add_argument(
        "--shard-size", type=int, metavar="N", help=f"links to a shard ({LaionMetadata.shard_size})"
    )
    for flag, kind, text in (
        ("deadline_s", float, "seconds for one picture, retries included, at most 3600"),
        ("silence_s", float, "of them that a server may send nothing, at most 3600"),
        ("in_flight", int, "pictures fetched at once, at most 1000"),
        ("per_host", int, "of them from one host, redirected to it or not"),
        ("retries", int, "more attempts on a busy server or a lost connection"),
        ("max_bytes", int, "bytes of one picture, also after decompression"),
    ):
        name = "--" + flag.removesuffix("_s").replace("_", "-")
        shown = f"{text} ({getattr(defaults, flag)})"
        parser.add_argument(name, dest=flag, type=kind, metavar="N", help=shown)
    parser.add_argument(
        "--allow-address",
        action="append",
        metavar="NETWORK",
        help="let through a network that is not public, e.g. 10.1.0.0/16; may be repeated, and "
        "must name those of SOURCE's allow_addresses too",
    )
    add_source_filter_flag(parser)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Fetches what is not there yet; 0 if there is at least one picture at the end.

    Raises:
        CommandError: the metadata, an option or the folder cannot be used.
    """
    try:
        spec = _read_source(args.source)
        options = _read_options(spec, args)
        metadata = replace(_read_metadata(spec, args.shard_size), filters=read_source_filters(args))
        counts = _fetch(
            metadata, _find_folder(spec, args.out, as_path(args.source).parent), options
        )
    except (SourceError, OutputError) as error:
        raise CommandError(str(error)) from error
    total = sum(counts.values())
    print_table("Fetched", [*counts.most_common(), ("links", total)], columns=("outcome", "links"))
    if args.json:
        rejects = {reason: count for reason, count in counts.items() if reason != "success"}
        print_json_line({"links": total, "pictures": counts["success"], "rejects": rejects})
    if counts["success"]:
        return EXIT_OK
    rejects = {reason: count for reason, count in counts.items() if reason != "success"}
    return fail(nothing_made(f"picture of {total} links is there", rejects, where=args.out))


def _read_source(source: str) -> SourceSpec:
    if not source.endswith((".yaml", ".yml")):
        return SourceSpec("laion", {"metadata": source})
    spec = read_spec(as_path(source))
    if spec.kind != "laion":
        raise SourceError(f"{source}: only a laion source is fetched, this is kind {spec.kind}")
    return spec


def _read_options(spec: SourceSpec, args: argparse.Namespace) -> FetchOptions:
    """The source file's options, and over them those of the command line."""
    given = spec.settings.get("fetch", {})
    values = dict(given) if isinstance(given, Mapping) else {}
    allowed = [option.name for option in fields(FetchOptions) if option.name != "limits"]
    for name in values:
        if name not in allowed:
            raise SourceError(f"fetch: unknown key {name!r}, it takes {', '.join(allowed)}")
    values |= {name: getattr(args, name) for name in _FLAGS if getattr(args, name) is not None}
    try:
        values["allow_addresses"] = _read_networks(
            values.get("allow_addresses", []), tuple(args.allow_address or ())
        )
        return replace(FetchOptions(limits=spec.limits()), **values)
    except (ValueError, TypeError) as error:
        raise SourceError(f"fetch: {error}") from error


def _read_networks(in_file: object, on_command_line: tuple[str, ...]) -> tuple[str, ...]:
    """The networks to let through: a file that came with a list of links opens none by itself.

    Raises:
        ValueError: one of the file's is not let through by the command line too, or is none.
    """
    if not isinstance(in_file, list):
        raise ValueError(f"allow_addresses must be a list of networks, got {in_file!r:.100}")
    opened = [read_network(text) for text in on_command_line]
    for text in in_file:
        network = read_network(text)
        if not any(contains(outer, network) for outer in opened):
            raise ValueError(
                f"allow_addresses {network} is let through only if the command line says so too: "
                f"--allow-address {network}"
            )
    return (*in_file, *on_command_line)


def _read_metadata(spec: SourceSpec, shard_size: int | None) -> LaionMetadata:
    size = spec.settings.get("shard_size", LaionMetadata.shard_size)
    if shard_size is not None:
        size = shard_size
    assert isinstance(size, int)
    return LaionMetadata(spec.text("metadata"), size)


def _find_folder(spec: SourceSpec, out: Path | None, home: Path) -> Path:
    """Where the pictures go; a source file in the folder `home` names nothing outside of it."""
    if out is not None:
        return out
    if "store" not in spec.settings:
        raise SourceError("--out is missing: say where the pictures go")
    store = as_path(spec.text("store"))
    if is_stored(store):
        raise SourceError(f"store must be on this machine, got {store}: give --out a folder of it")
    if not store.resolve().is_relative_to(home.resolve()):
        raise SourceError(
            f"store: {store} is not below the folder of the source file, and is written only if "
            f"the command line says so too: --out {store}"
        )
    return store


def _fetch(metadata: LaionMetadata, folder: Path, options: FetchOptions) -> Counter[str]:
    """Counts by outcome over all shards, those of earlier runs included."""
    inputs = JobInputs(source=list_source(metadata))
    shards = metadata.shards()
    with lock_folder(folder, "pairloom fetch", tell=print_note):
        open_store(folder, metadata)
        _keep_inputs(folder, inputs)
        counts = _fetch_shards(metadata, shards, folder, options)
        refuse_changed(metadata, inputs.source, done="it was being fetched")
    return counts


def _keep_inputs(folder: Path, now: JobInputs) -> None:
    """Keeps what the links are, or makes sure that they are those that pictures were fetched by."""
    before = read_inputs(folder)
    changed = before.difference(now)
    if changed and any(folder.glob("*_stats.json")):
        raise CommandError(
            f"{folder} holds pictures of links as they were, and {changed}: name another folder"
        )
    if changed or before == JobInputs():
        now.write(folder)


def _fetch_shards(
    metadata: LaionMetadata, shards: list[LinkShard], folder: Path, options: FetchOptions
) -> Counter[str]:
    counts: Counter[str] = Counter()
    with show_progress("Fetch", sum(metadata.files.values()), unit="links") as advance:

        def find_missing() -> Iterator[LinkShard]:
            for shard in shards:
                found = read_stats(folder, shard)
                if found is None:
                    yield shard
                else:
                    counts.update(found)
                    advance(shard.stop - shard.start)

        fetched = fetch_shards(folder, metadata, find_missing(), options=options, advance=advance)
    return counts + fetched
