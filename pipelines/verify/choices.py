"""Whether pairs and rejects are what Select makes of the stored candidates.

As rethreshold does, this chooses again among the candidates of each edit, by the thresholds of the
manifest, and holds what comes out against what is there.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pyarrow as pa

from indexes.names import NAME, installed_version
from pipelines.verify.candidates import candidate_problems, query_problems
from pipelines.verify.selection_rules import ChoiceError, Rules, read_rules
from transforms import select
from transforms.dataset.checks import ShardRows
from transforms.dataset.findings import Tell
from transforms.dataset.manifest import Manifest
from transforms.dataset.rows import Row, row_to_query
from transforms.dataset.schema import (
    QUERY_FIELDS,
    SCORE_COLUMNS,
    SOURCE_FIELDS,
    TARGET_FIELDS,
)
from transforms.record import Batch, Candidate, EditQuery, Reject
from transforms.select import select_batch

_SCORES = tuple(column.name for column in SCORE_COLUMNS)
_OF_THE_QUERY = tuple(dict.fromkeys(("key", *QUERY_FIELDS, *SOURCE_FIELDS.values())))
_OF_THE_TARGET = tuple(TARGET_FIELDS.values())

EditId = tuple[int, int]
"""Position of the source in its shard, and number of the edit."""


def check_choices(manifest: Manifest, rows: ShardRows, tell: Tell) -> None:
    """Tells where the rows of a shard are not what Select makes of its candidates."""
    try:
        rules = read_rules(manifest.configuration)
    except ChoiceError as error:
        tell("", str(error))
        for _ in rows.candidates:
            pass
        return
    # Another release may say the same in other words.
    same = manifest.software.get(NAME) == installed_version()
    check = _ShardCheck(rows, rules, tell, same_release=same)
    for table in _sound_tables(rows, check):
        check.take(table)
    check.finish()


def _sound_tables(rows: ShardRows, check: "_ShardCheck") -> Iterator[pa.Table]:
    """The candidates, row group by row group, as long as they keep their columns' rules."""
    for group in rows.candidates:
        if not group.sound:
            check.broken = True
        if not check.broken:
            yield group.rows


class _ShardCheck:
    """Goes through the candidates of a shard, a source at a time."""

    def __init__(self, rows: ShardRows, rules: Rules, tell: Tell, *, same_release: bool) -> None:
        self._same_release = same_release
        self.broken = False
        self._where = f"shard {rows.receipt.number}"
        self._rules = rules
        self._tell = tell
        self._expected = rows.receipt.files[2].rows
        self._pairs = _by_id(rows.pairs, "source_position")
        self._rejects = _by_id(rows.rejects, "position")
        self._source_rejects = {position for position, number in self._rejects if number is None}
        self._asked: set[EditId] = set()
        self._last: EditId = (-1, -1)
        self._waiting: list[Row] = []
        self._seen = 0

    def take(self, table: pa.Table) -> None:
        """The next row group of the candidates."""
        self._seen += len(table)
        rows = [*self._waiting, *table.to_pylist()]
        sources = [list(group) for _, group in groupby(rows, lambda row: row["source_position"])]
        self._waiting = sources.pop() if sources else []
        for source in sources:
            self._check_source(source)

    def finish(self) -> None:
        """After the last row group: what was asked of nobody."""
        if self.broken or self._seen != self._expected:
            return
        if self._waiting:
            self._check_source(self._waiting)
        for place, row in self._pairs.items():
            if place not in self._asked:
                self._problem(row["key"], "every pair must be an edit among the candidates")
        for place, row in self._rejects.items():
            chosen = row["stage"] == select.STAGE
            if chosen and place not in self._asked:
                self._problem(_reject_key(row), "what select rejects must be among the candidates")

    def _problem(self, key: str, what: str) -> None:
        self._tell(f"{self._where}: {key}", what)

    def _check_source(self, rows: list[Row]) -> None:
        for row in rows:
            place = (row["source_position"], row["number"])
            if place <= self._last:
                self._problem(row["key"], "candidates must be sorted by position and edit number")
            self._last = place
            self._asked.add(place)
            for what in query_problems(row, self._rules):
                self._problem(row["key"], what)
        if rows[0]["source_position"] in self._source_rejects:
            self._problem(rows[0]["source_key"], "a picture that was rejected must have no edits")
        queries = [row_to_query(row) for row in rows]
        for query in queries:
            for what in candidate_problems(query):
                self._problem(query.key, what)
        outcome = select_batch(
            Batch("", 0, tuple(queries)), self._rules.thresholds, edits=self._rules.edits
        )
        chosen: dict[int, Candidate] = {each.query.number: each.target for each in outcome.records}
        refused = {each.number: each for each in outcome.rejects}
        for row, query in zip(rows, queries, strict=True):
            place = (row["source_position"], row["number"])
            for what in self._outcome_problems(
                row, query, place, target=chosen.get(query.number), reject=refused.get(query.number)
            ):
                self._problem(query.key, what)

    def _outcome_problems(
        self,
        row: Row,
        query: EditQuery,
        place: EditId,
        *,
        target: Candidate | None,
        reject: Reject | None,
    ) -> Iterator[str]:
        pair, found = self._pairs.get(place), self._rejects.get(place)
        if (pair is None) == (found is None):
            yield "every edit among the candidates must end in one pair or one reject"
        elif pair is not None:
            yield from _pair_problems(pair, row, query, target=target, reject=reject)
        elif found is not None:
            yield from _reject_problems(
                found, query, target=target, reject=reject, same_release=self._same_release
            )


def _by_id(table: pa.Table, position: str) -> dict[tuple[int, Any], Row]:
    return {(row[position], row["number"]): row for row in table.to_pylist()}


def _reject_key(row: Row) -> str:
    return str(row["key"]) if row["number"] is None else f"{row['key']}-{row['number']}"


def _pair_problems(
    pair: Row, row: Row, query: EditQuery, *, target: Candidate | None, reject: Reject | None
) -> Iterator[str]:
    for name in _OF_THE_QUERY:
        if pair.get(name) != row.get(name):  # earlier versions lack some
            yield f"{name} of the pair must be that of its edit among the candidates"
    if target is None:
        why = reject.reason if reject is not None else "nothing"
        yield f"it must be no pair: by the manifest's thresholds select gives {why}"
        return
    if pair["target_row"] != target.row or pair["target_key"] != target.key:
        among = any(each.key == pair["target_key"] for each in query.candidates)
        what = "another candidate is the best that passes" if among else "it is no candidate"
        yield f"the target must be the one that select chooses: {what}, got {pair['target_key']!r}"
        return
    stored = next(each for each in row["candidates"] if each["row"] == target.row)
    for name in (*_OF_THE_TARGET, *_SCORES):
        own = name.removeprefix("target_") if name in _OF_THE_TARGET else name
        if pair.get(name) != stored.get(own):  # earlier versions lack some
            yield f"{name} of the pair must be that of its candidate"


def _reject_problems(
    found: Row,
    query: EditQuery,
    *,
    target: Candidate | None,
    reject: Reject | None,
    same_release: bool,
) -> Iterator[str]:
    if (found["key"], found["caption"], found["edit_prompt"]) != (
        query.source.key,
        query.caption,
        query.edit_prompt,
    ):
        yield "key and texts of the reject must be those of its edit among the candidates"
    best = reject.target_key if reject is not None else target.key if target is not None else None
    if found["stage"] == select.STAGE:
        if reject is None:
            yield "it must be a pair: by the manifest's thresholds select takes a candidate"
            return
        if found["reason"] != reject.reason:
            yield f"reason must be {reject.reason}, what select gives, got {found['reason']!r}"
        if found["target_key"] != best:
            yield f"target_key of the reject must be {best!r}, got {found['target_key']!r}"
            return
        if same_release and found["detail"] != reject.detail:
            yield f"detail of the reject must be {reject.detail!r}"
        scores = reject.scores
    else:
        if reject is not None:
            yield f"it must be rejected by select, as {reject.reason}, got {found['stage']!r}"
            return
        if found["target_key"] not in (None, best):
            yield f"target_key of the reject must be {best!r}, got {found['target_key']!r}"
            return
        if found["target_key"] is None or target is None:
            return
        scores = target.scores
    for name in _SCORES:
        if found[name] != getattr(scores, name.removeprefix("score_")):
            yield f"{name} of the reject must be that of its candidate"
