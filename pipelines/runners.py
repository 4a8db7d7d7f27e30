"""Running a Beam graph: in this process by a named runner, or by any runner a person names.

`DirectRunner` is only a switch between runners and is never used.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineResult, PipelineState

from pipelines.console import CommandError
from transforms.timing import LATENCY

Graph = Callable[[beam.Pipeline], None]


@dataclass(frozen=True)
class StageSeconds:
    """Seconds spent in each stage, summed over batches, by the stage's name."""

    seconds: dict[str, float]

    def __add__(self, other: "StageSeconds") -> "StageSeconds":
        """The seconds of both together."""
        names = self.seconds.keys() | other.seconds.keys()
        return StageSeconds(
            {n: self.seconds.get(n, 0.0) + other.seconds.get(n, 0.0) for n in sorted(names)}
        )


def run_here(graph: Graph) -> StageSeconds:
    """Runs `graph` in this process and thread by FnApiRunner, and waits for its end.

    Raises:
        whatever a stage raised.
    """
    quiet = logging.getLogger("apache_beam")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        pipeline = beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([]))
        graph(pipeline)
        result = pipeline.run()
        result.wait_until_finish()
    finally:
        quiet.setLevel(level)
    return read_stage_seconds(result)


def run_elsewhere(graph: Graph, flags: Sequence[str]) -> StageSeconds:
    """Runs `graph` by the runner that Beam's own `flags` name, and waits for its end.

    Raises:
        CommandError: the flags name no runner or the switch, or the job ended otherwise than done.
    """
    options = PipelineOptions(list(flags))
    runner = options.view_as(StandardOptions).runner
    if runner is None or runner == "DirectRunner":
        raise CommandError(
            f"--runner must name one runner such as FlinkRunner or DataflowRunner, got {runner}",
            exit_code=2,
        )
    # Workers unpickle functions by module name: the distribution must be installed there.
    options.view_as(SetupOptions).save_main_session = False
    pipeline = beam.Pipeline(options=options)
    graph(pipeline)
    result = pipeline.run()
    state = result.wait_until_finish()
    if state != PipelineState.DONE:
        raise CommandError(f"the job on {runner} ended in state {state}")
    return read_stage_seconds(result)


def read_stage_seconds(result: PipelineResult) -> StageSeconds:
    """The seconds that the stages measured batch by batch, by stage."""
    seconds: dict[str, float] = {}
    for latency in result.metrics().query()["distributions"]:
        if latency.key.metric.name == LATENCY:
            name = latency.key.metric.namespace
            seconds[name] = seconds.get(name, 0.0) + latency.result.sum / 1e6
    return StageSeconds(seconds)
