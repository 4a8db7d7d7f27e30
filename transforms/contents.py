"""What belongs into one output shard, put in order, checked and counted.

Whatever order the batches arrive in, the same records give the same contents.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from transforms.record import Batch, EditExample, EditQuery, Reject
from transforms.rows import light_example, light_query
from transforms.shards import Counts


class ContentsError(Exception):
    """Records of a shard that contradict one another, or are missing, in one line."""


@dataclass(frozen=True)
class ShardContents:
    """All that goes into one output shard, each kind sorted by position and edit number.

    `examples` and `queries` are light; `queries` carry the candidates they were given.
    """

    examples: tuple[EditExample, ...]
    rejects: tuple[Reject, ...]
    queries: tuple[EditQuery, ...]


def shard_contents(
    batches: Iterable[Batch[EditExample]], considered: Iterable[Batch[EditQuery]] = ()
) -> ShardContents:
    """The contents of a shard from its finished `batches` and the queries `considered` for them.

    `considered` are the batches as they went into Select, when every query had its candidates;
    their rejects travel on to `batches` and are taken from there.

    Raises:
        ContentsError: two records have the same key, or a considered query ended nowhere.
    """
    batches = list(batches)
    examples = sorted(
        (light_example(example) for batch in batches for example in batch.records), key=_example_id
    )
    rejects = sorted((reject for batch in batches for reject in batch.rejects), key=reject_id)
    queries = sorted(
        (light_query(query, candidates=True) for batch in considered for query in batch.records),
        key=query_id,
    )
    outcomes = [_example_id(example) for example in examples]
    outcomes += [reject_id(reject) for reject in rejects]
    _refuse_twins("outcome", outcomes)
    _refuse_twins("query", [query_id(query) for query in queries])
    lost = {query_id(query) for query in queries} - set(outcomes)
    if lost:
        raise ContentsError(f"every query must end in a pair or a reject, {min(lost)} did not")
    return ShardContents(tuple(examples), tuple(rejects), tuple(queries))


def query_id(query: EditQuery) -> tuple[int, int, str]:
    """What queries and pairs are sorted by: position, edit number and key of the source."""
    return query.source.position, query.number, query.source.key


def _example_id(example: EditExample) -> tuple[int, int, str]:
    return query_id(example.query)


def reject_id(reject: Reject) -> tuple[int, int, str]:
    """What rejects are sorted by: position, edit number (-1 for the whole picture) and key."""
    number = -1 if reject.number is None else reject.number
    return reject.position, number, reject.key


def _refuse_twins(what: str, ids: Sequence[Hashable]) -> None:
    twins = [each for each, number in Counter(ids).items() if number > 1]
    if twins:
        rule = "(position, edit number, key) must be unique in a shard"
        raise ContentsError(f"{rule}, got more than one {what} of {twins[0]}")


def count_contents(contents: ShardContents) -> Counts:
    """The counts of `contents`; a source is a position that any pair or reject comes from."""
    with_pairs = {example.query.source.position for example in contents.examples}
    sources = with_pairs | {reject.position for reject in contents.rejects}
    by_reason = Counter((reject.stage, reject.reason) for reject in contents.rejects)
    rejects: dict[str, dict[str, int]] = {}
    for (stage, reason), number in sorted(by_reason.items()):
        rejects.setdefault(stage, {})[reason] = number
    query_rejects = sum(reject.number is not None for reject in contents.rejects)
    return Counts(
        sources=len(sources),
        sources_with_pairs=len(with_pairs),
        sources_without_pairs=len(sources - with_pairs),
        queries=len(contents.examples) + query_rejects,
        pairs=len(contents.examples),
        source_rejects=len(contents.rejects) - query_rejects,
        query_rejects=query_rejects,
        rejects=rejects,
    )
