"""What other thresholds on the captions' confidence would have given, from stored candidates.

Every query of a data set is stored with all its candidates and their scores, and Select uses
nothing else: it is done again here for a grid of thresholds, and the truth asked about the result.
"""

import dataclasses
from functools import lru_cache
from pathlib import Path

from pipelines.build.plan import BuildOptions
from stilllife.truth import judge_pair
from transforms.dataset.reader import open_pairs
from transforms.dataset.rows import row_to_query
from transforms.record import Batch, Candidate, EditExample, EditQuery
from transforms.select import SelectionThresholds, select, select_batch

LEVELS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98)


def print_sweep(name: str, folder: Path, options: BuildOptions) -> None:
    """Two grids: with the other thresholds as they are, and with the very words of the prompt."""
    batches, sources = read_queries(folder)
    as_is = dataclasses.replace(options.thresholds, source_confidence=None, target_confidence=None)
    exact = dataclasses.replace(as_is, rest=1.0, word_order=1.0)
    for title, thresholds in (("other thresholds as built", as_is), ("exact words", exact)):
        hopeful = [keep_useful(batch, thresholds) for batch in batches]
        print(f"\n{name}, {title}: share right / yield, by the least confidence of")
        print(f"{'source':>8}  " + "".join(f"{level:>11g}" for level in LEVELS) + "  target")
        for level in LEVELS:
            limits = [
                dataclasses.replace(thresholds, source_confidence=level, target_confidence=other)
                for other in LEVELS
            ]
            cells = [_cell(hopeful, each, edits=options.edits, sources=sources) for each in limits]
            print(f"{level:>8g}  " + "".join(f"{cell:>11}" for cell in cells), flush=True)


def read_queries(folder: Path) -> tuple[list[Batch[EditQuery]], int]:
    """The stored queries of a data set, a batch for each shard, and the number of its sources."""
    pairs = open_pairs(folder)
    batches = [
        Batch(receipt.name, 0, tuple(map(row_to_query, file.read().to_pylist())))
        for receipt, file in zip(pairs.manifest.shards, pairs.candidates.files, strict=True)
    ]
    return batches, pairs.manifest.counts.sources


def keep_useful(batch: Batch[EditQuery], thresholds: SelectionThresholds) -> Batch[EditQuery]:
    """`batch` with those candidates alone that some threshold on confidence would make the choice.

    These are the one chosen by `thresholds`, the one chosen among the surer ones, and so on: the
    others lose to one of them whatever confidence is asked for.
    """
    records = tuple(
        dataclasses.replace(query, candidates=_useful(query, thresholds)) for query in batch.records
    )
    return dataclasses.replace(batch, records=records)


def _useful(query: EditQuery, thresholds: SelectionThresholds) -> tuple[Candidate, ...]:
    useful: list[Candidate] = []
    left = query.candidates
    while left:
        outcome = select(dataclasses.replace(query, candidates=left), thresholds)
        if not isinstance(outcome, EditExample):
            break
        useful.append(outcome.target)
        best = outcome.target.scores.target_confidence
        if best is None:  # passes every threshold
            break
        left = tuple(
            each
            for each in left
            if each.scores.target_confidence is None or each.scores.target_confidence > best
        )
    return tuple(useful)


def _cell(
    batches: list[Batch[EditQuery]], limits: SelectionThresholds, *, edits: int, sources: int
) -> str:
    chosen = [
        example for batch in batches for example in select_batch(batch, limits, edits=edits).records
    ]
    if not chosen:
        return "-/.00"
    right = sum(map(_is_right, chosen))
    return f"{right / len(chosen):.3f}/{len(chosen) / sources:.2f}".replace("0.", ".")


def _is_right(example: EditExample) -> bool:
    query = example.query
    return judged(
        query.source.key, example.target.key, query.caption, query.edit_prompt, query.target_word
    )


@lru_cache(maxsize=100_000)
def judged(source: str, target: str, caption: str, edit_prompt: str, target_word: str) -> bool:
    """Whether the pair is right; asked again and again for the same pairs."""
    return judge_pair(
        source, target, caption=caption, edit_prompt=edit_prompt, target_word=target_word
    ).right
