"""The SIMAT score on the public SIMAT tables, by any encoder or by embeddings of one's own.

    python benchmarks/simat_public.py TABLES (--pictures DIR | --visual-genome DIR |
        --embeddings FILE) [--preset NAME] [--oracle FILE] [--heads RUN] [--half dev|test]
        [--lambdas N ...] [--save FILE] [--seed N] [--json]

TABLES is the folder `simat_db` of the public data. Pictures are files called after their regions,
or are cut out of Visual Genome's by the retrieval table, and are encoded by a preset's encoder;
`--save` keeps the embeddings, `--embeddings` reads such a file. `--oracle` says what pictures show
(the data's matrix of OSCAR's probabilities, rows by the `dataset_id` of the triplet table); without
it a picture shows the caption of its own triplet alone, which counts fewer queries as answered.
Printed are text to image, image to text to image, and word deltas over lambda.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import support.silent_libraries  # noqa: F401
from support.reporting import Target, add_report_flags, finish
from support.simat_embeddings import (
    crop_pictures,
    encode_set,
    open_pictures,
    read_embeddings,
    read_oracle,
    save_embeddings,
)
from support.simat_rows import TEXT, THROUGH_TEXT, read_score

from editing.editors.simat.query_set import QuerySet
from editing.editors.simat.scoring import LAMBDAS, SetEmbeddings, SimatTask, curve
from editing.editors.simat.tables import read_crops, read_tables
from editing.trained_part import ADAPTATION_HEADS
from indexes.errors import PairloomError
from pipelines.terminal.console import print_table
from transforms.models.adaptation_heads import load_heads
from transforms.models.loading import load_encoder
from transforms.presets import load_preset


def read_set(arguments: argparse.Namespace, queries: QuerySet) -> SetEmbeddings:
    """The embeddings that the flags ask for.

    Raises:
        PairloomError: a picture, a file or a model cannot be used.
    """
    if arguments.embeddings is not None:
        return read_embeddings(arguments.embeddings, queries)
    encoder = load_encoder(load_preset(arguments.preset).encoder)
    if arguments.pictures is not None:
        pictures = open_pictures(queries, arguments.pictures)
    else:
        pictures = crop_pictures(queries, read_crops(arguments.tables), arguments.visual_genome)
    return encode_set(queries, encoder, pictures)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """The scores, as plain data.

    Raises:
        PairloomError: something that is read cannot be used.
    """
    queries = read_tables(arguments.tables)
    embeddings = read_set(arguments, queries)
    if arguments.save is not None:
        save_embeddings(arguments.save, queries, embeddings)
    oracle = read_oracle(arguments.oracle, queries) if arguments.oracle is not None else None
    task = SimatTask(queries=queries, embeddings=embeddings, oracle=oracle)
    if arguments.heads is not None:
        task = task.through(load_heads(ADAPTATION_HEADS.spec(arguments.heads)))
    places = queries.half(is_test=arguments.half == "test")
    rows = {TEXT: read_score(task.score(task.targets(places), places), scale=None)}
    for name, through_text in ((THROUGH_TEXT, True), ("words", False)):
        scores = curve(task, places, lambdas=arguments.lambdas, through_text=through_text)
        rows |= {
            f"{name}, lambda {scale:g}": read_score(score, scale=scale)
            for scale, score in scores.items()
        }
    return {
        "half": arguments.half,
        "oracle": oracle is not None,
        "pictures": len(queries.pictures),
        "queries": len(places),
        "rows": rows,
    }


def main(words: Sequence[str] | None = None) -> int:
    """Reads the arguments, measures, prints; the exit code is 1 where something cannot be read."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", type=Path, metavar="TABLES")
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--pictures", type=Path, metavar="DIR")
    given.add_argument("--visual-genome", type=Path, metavar="DIR")
    given.add_argument("--embeddings", type=Path, metavar="FILE")
    parser.add_argument("--preset", default="stilllife", help="whose encoder (default stilllife)")
    parser.add_argument("--oracle", type=Path, metavar="FILE")
    parser.add_argument("--heads", type=Path, metavar="RUN", help="a run of train on an index")
    parser.add_argument("--half", choices=("dev", "test"), default="dev", help="(default dev)")
    parser.add_argument("--lambdas", type=float, nargs="+", default=LAMBDAS, metavar="N")
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep the embeddings (.npz)")
    add_report_flags(parser, seed_help="of nothing but the record: no number is drawn (default 0)")
    arguments = parser.parse_args(words)
    try:
        figures = measure(arguments)
    except PairloomError as error:
        print(f"simat_public: error: {error}", file=sys.stderr)
        return 1
    rows = [(name, each["at_1"], each["at_5"]) for name, each in figures["rows"].items()]
    title = f"SIMAT score, {figures['half']}, {figures['queries']} queries"
    print_table(title, rows, columns=("", "@1", "@5"))
    targets = [
        Target(name=f"{name}, @1", value=each["at_1"], interval=each["at_1_interval"])
        for name, each in figures["rows"].items()
    ]
    finish(arguments, figures=figures, targets=targets)
    return 0


if __name__ == "__main__":
    sys.exit(main())
