"""`pairloom export DIR --format NAME --out OUT`: the pairs in another form."""

import argparse
from typing import Any

from indexes.storage.paths import is_stored
from pipelines.terminal.arguments import JSON_HELP, any_path
from pipelines.terminal.console import (
    EXIT_OK,
    EXIT_USAGE,
    CommandError,
    print_json_line,
    print_note,
)

WEBDATASET, HUB_FOLDER, INSTRUCT = "webdataset", "hub-folder", "instruct-pix2pix"


def add_parser(subparsers: Any) -> None:
    """Add `export` to the command line."""
    parser = subparsers.add_parser(
        "export",
        help="write a data set's pairs as WebDataset, as a folder for the hub, or for trainers",
        description="Write the pairs of a finished data set in another form, a shard at a time; "
        "the same command again goes on after what is there. With --push the result is put on the "
        "Hugging Face hub as well.",
    )
    parser.add_argument("dataset", type=any_path, metavar="DIR", help="folder of the data set")
    parser.add_argument(
        "--format",
        required=True,
        choices=(WEBDATASET, HUB_FOLDER, INSTRUCT),
        help="tar files; Parquet with every column; or Parquet with the three columns that "
        "trainers of InstructPix2Pix read",
    )
    parser.add_argument("--out", type=any_path, required=True, metavar="OUT", help="where to write")
    parser.add_argument(
        "--words",
        choices=("instruction", "prompt"),
        default="instruction",
        help="what edit_prompt of instruct-pix2pix, or txt of webdataset, says: the instruction "
        "(default) or the description",
    )
    parser.add_argument(
        "--push", metavar="OWNER/NAME", help="upload to the Hugging Face hub under this name"
    )
    parser.add_argument("--private", action="store_true", help="with --push, a private data set")
    parser.add_argument("--json", action="store_true", help=JSON_HELP)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the export, and upload it where that is asked for.

    Raises:
        CommandError: something was asked for wrongly, or the hub refuses.
        DatasetError, OutputError, FolderLockedError: as `run_export`.
    """
    from pipelines.export.job import Export, run_export
    from pipelines.export.push import check_name, push_folder
    from transforms.dataset.folder import COMPLETED, is_completed
    from transforms.dataset.reader import open_pairs

    if args.push is not None:
        check_name(args.push)
        if is_stored(args.out):
            raise CommandError("--push takes --out on this machine", exit_code=EXIT_USAGE)
    if args.private and args.push is None:
        raise CommandError("--private goes with --push", exit_code=EXIT_USAGE)
    if args.out.resolve().is_relative_to(args.dataset.resolve()):
        raise CommandError(f"--out must lie outside {args.dataset}", exit_code=EXIT_USAGE)
    dataset = open_pairs(args.dataset)
    if not is_completed(args.dataset):
        raise CommandError(f"{args.dataset} must be finished, {COMPLETED} is missing")
    done = run_export(Export(dataset, args.format, args.out, args.words))
    if not done.pairs:
        print_note(f"{args.dataset} has no pair, so that the export has none")
    before = f", {done.kept} of them from before" if done.kept else ""
    print(f"wrote {args.out}: {done.pairs} pairs in {done.files} files{before}")
    counts: dict[str, object] = {
        "pairs": done.pairs,
        "files": done.files,
        "kept": done.kept,
        "bytes": done.bytes,
    }
    if args.push is not None:
        address = push_folder(args.out, args.push, private=args.private)
        print(f"pushed: {address}")
        counts["pushed"] = address
    if args.json:
        print_json_line(counts)
    return EXIT_OK
