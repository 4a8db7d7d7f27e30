"""How far a job on another runner is, while it runs: by its metrics, its workers and its shards.

Beam's metrics come as an engine gives them: Prism while a bundle goes on, the job servers of Flink
and Spark when the job has ended. Workers tell it beside that in the folder they fill
(`indexes.settled`), and shards that have landed are there to be seen. The most of the three is what
is shown; what an engine had to do twice counts twice in the first two, so that they are held to the
whole.
"""

import copy
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

from apache_beam.metrics.metric import MetricsFilter
from apache_beam.runners.runner import PipelineResult

from indexes.errors import PairloomError
from indexes.fence import Fence
from indexes.settled import read_settled
from pipelines.running.job_log import log_error
from transforms.batches.landing import LAND, SETTLED

ShardT = TypeVar("ShardT")

SECONDS_BETWEEN_ASKS = 10.0
"""Job servers write a line or two into the log for every answer."""


class Meter(Generic[ShardT]):
    """Looks how many pictures of `shards` are settled, and tells `advance` how many more they are.

    `is_whole` says of a shard whether it has landed, `pictures` how many it holds. `fence` is the
    run's, where there is one. The numbers never go back, and never beyond all pictures.
    """

    def __init__(
        self,
        shards: Sequence[ShardT],
        *,
        is_whole: Callable[[ShardT], bool],
        pictures: Callable[[ShardT], int],
        fence: Fence | None,
        advance: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._missing = list(shards)
        self._is_whole, self._pictures = is_whole, pictures
        self._fence, self._advance = fence, advance
        self._total = sum(map(pictures, shards))
        self._landed = self._shown = 0
        self._clock = clock
        self._ask_again = clock()
        self._asks, self._stopped = True, False

    def look(self, result: PipelineResult | None) -> int:
        """Looks once more, and gives how many pictures are settled as far as is known.

        `result` is the job's, None where there is none to be asked yet.
        """
        with suppress(PairloomError, OSError):  # the job itself meets it too, and says so
            self._look_for_shards()
        told = read_settled(self._fence) if self._fence is not None else 0
        counted = max(told, self._ask(result))
        now = max(self._shown, self._landed, min(counted, self._total))
        self._show(now)
        return now

    def finish(self) -> None:
        """Shows that all is done: the job has ended well."""
        self._show(self._total)

    def stop(self) -> None:
        """Shows nothing any more, whatever a look that still goes on finds."""
        self._stopped = True

    def _show(self, now: int) -> None:
        if not self._stopped:
            self._advance(now - self._shown)
            self._shown = now

    def _look_for_shards(self) -> None:
        missing, landed = [], 0
        for shard in self._missing:
            if self._is_whole(shard):
                landed += self._pictures(shard)
            else:
                missing.append(shard)
        self._missing = missing
        self._landed += landed

    def _ask(self, result: PipelineResult | None) -> int:
        """What the metrics say, now and then; once they could not be had, they are let be."""
        if result is None or not self._asks or self._clock() < self._ask_again:
            return 0
        self._ask_again = self._clock() + SECONDS_BETWEEN_ASKS
        try:
            return count_settled(result)
        except Exception as error:  # noqa: BLE001 - every engine has its own, and none is worth the job
            self._asks = False
            log_error(error)
            return 0


def count_settled(result: PipelineResult) -> int:
    """The rows that have come to their shards, by a job's metrics as its engine gives them now.

    Raises:
        whatever Beam raises, where the engine gives none.
    """
    # A portable job's result keeps the first answer for ever, and in the end the last is wanted.
    metrics = copy.copy(result).metrics()
    wanted = MetricsFilter().with_namespace(LAND).with_name(SETTLED)
    return sum(
        max(each.committed or 0, each.attempted or 0) for each in metrics.query(wanted)["counters"]
    )
