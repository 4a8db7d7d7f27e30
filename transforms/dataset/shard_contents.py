"""What belongs into one output shard, put in order, checked and counted.

Whatever order the batches arrive in, the same records give the same contents.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from indexes.errors import PairloomError
from transforms.dataset.rows import light_example, query_to_row
from transforms.dataset.schema import CANDIDATES
from transforms.dataset.shards import Counts
from transforms.record import Batch, EditExample, EditQuery, Reject

QueryId = tuple[int, int, str]
"""Position, edit number and key of the source."""


class ContentsError(PairloomError):
    """Records of a shard that contradict one another, or are missing, in one line."""


@dataclass(frozen=True)
class ShardContents:
    """All that goes into one output shard, each kind sorted by position and edit number.

    `examples` are light; `queries` are rows of the candidates.
    """

    examples: tuple[EditExample, ...]
    rejects: tuple[Reject, ...]
    queries: pa.Table


def tabulate(queries: Iterable[EditQuery]) -> pa.Table:
    """The rows of the candidates for `queries`, which have their candidates, in columns.

    There are many candidates, and after Select nothing is done with them but writing: in columns
    they pass a shuffle as they are.
    """
    return pa.Table.from_pylist([query_to_row(query) for query in queries], CANDIDATES)


def shard_contents(
    batches: Iterable[Batch[EditExample]], considered: Iterable[pa.Table] = ()
) -> ShardContents:
    """The contents of a shard from its finished `batches` and the queries `considered` for them.

    `considered` are the queries as they went into Select, when each had its candidates, made
    tables by `tabulate`.

    Raises:
        ContentsError: two records have the same key, or a considered query ended nowhere.
    """
    batches = list(batches)
    examples = sorted(
        (light_example(example) for batch in batches for example in batch.records), key=_example_id
    )
    rejects = sorted((reject for batch in batches for reject in batch.rejects), key=reject_id)
    queries, asked = _sorted_queries(considered)
    outcomes = [_example_id(example) for example in examples]
    outcomes += [reject_id(reject) for reject in rejects]
    _refuse_duplicates("outcome", outcomes)
    _refuse_duplicates("query", asked)
    lost = set(asked) - set(outcomes)
    if lost:
        raise ContentsError(f"every query must end in a pair or a reject, {min(lost)} did not")
    return ShardContents(tuple(examples), tuple(rejects), queries)


def _sorted_queries(tables: Iterable[pa.Table]) -> tuple[pa.Table, list[QueryId]]:
    """One table of all, sorted by `query_id`, and those ids in the same order."""
    whole = pa.concat_tables([CANDIDATES.empty_table(), *tables]).combine_chunks()
    columns = (whole[name].to_pylist() for name in ("source_position", "number", "source_key"))
    ids: list[QueryId] = list(zip(*columns, strict=True))
    order = sorted(range(len(ids)), key=ids.__getitem__)
    return whole.take(pa.array(order, pa.int64())), [ids[row] for row in order]


def query_id(query: EditQuery) -> QueryId:
    """What queries and pairs are sorted by."""
    return query.source.position, query.number, query.source.key


def _example_id(example: EditExample) -> QueryId:
    return query_id(example.query)


def reject_id(reject: Reject) -> QueryId:
    """What rejects are sorted by: position, edit number (-1 for the whole picture) and key."""
    number = -1 if reject.number is None else reject.number
    return reject.position, number, reject.key


def _refuse_duplicates(what: str, ids: Sequence[Hashable]) -> None:
    duplicates = [each for each, number in Counter(ids).items() if number > 1]
    if duplicates:
        rule = "(position, edit number, key) must be unique in a shard"
        raise ContentsError(f"{rule}, got more than one {what} of {duplicates[0]}")


def count_contents(contents: ShardContents) -> Counts:
    """The counts of `contents`."""
    return count_outcomes(
        [example.query.source.position for example in contents.examples],
        [(each.position, each.number, each.stage, each.reason) for each in contents.rejects],
    )


def count_outcomes(
    pairs: Sequence[int], rejects: Sequence[tuple[int, int | None, str, str]]
) -> Counts:
    """The counts of a shard whose pairs have sources at these positions.

    `rejects` are position, edit number, stage and reason of each. A source is a position that any
    pair or reject comes from.
    """
    with_pairs = set(pairs)
    sources = with_pairs | {position for position, _, _, _ in rejects}
    by_reason = Counter((stage, reason) for _, _, stage, reason in rejects)
    counted: dict[str, dict[str, int]] = {}
    for (stage, reason), number in sorted(by_reason.items()):
        counted.setdefault(stage, {})[reason] = number
    query_rejects = sum(number is not None for _, number, _, _ in rejects)
    return Counts(
        sources=len(sources),
        sources_with_pairs=len(with_pairs),
        sources_without_pairs=len(sources - with_pairs),
        queries=len(pairs) + query_rejects,
        pairs=len(pairs),
        source_rejects=len(rejects) - query_rejects,
        query_rejects=query_rejects,
        rejects=counted,
    )
