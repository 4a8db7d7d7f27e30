"""Running a Beam graph in this process by a named runner, and opening any that a person names.

What goes wrong in a stage comes out as the stage raised it.
"""

import contextlib
import io
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineResult

from pipelines.terminal.console import EXIT_USAGE, CommandError
from pipelines.terminal.failures import last_words, raised_by_stage
from transforms.batches.timing import LATENCY

Graph = Callable[[beam.Pipeline], None]

REFUSED_RUNNERS = ("SwitchingDirectRunner", "DaskRunner")
"""`DirectRunner` picks one of three runners by itself; Dask's loses records without a word."""


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
        whatever a stage raised, as it raised it.
    """
    logger = logging.getLogger("apache_beam")
    level = logger.level
    # What goes wrong is raised; Beam would show it as well, with its traceback, as it goes by.
    logger.setLevel(logging.CRITICAL)
    try:
        pipeline = beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([]))
        graph(pipeline)
        result = pipeline.run()
        result.wait_until_finish()
    except Exception as error:  # noqa: BLE001 - raised again, as what it was
        original = raised_by_stage(error)
        raise original from original.__cause__
    finally:
        logger.setLevel(level)
    return read_stage_seconds(result)


def open_pipeline(flags: Sequence[str]) -> beam.Pipeline:
    """An empty pipeline on the runner that Beam's own `flags` name.

    Raises:
        CommandError: a flag has no value that Beam takes, or there is no such runner, or it is one
            that picks another runner or is known to lose data.
    """
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            options = PipelineOptions(list(flags))
            # Workers unpickle functions by module name: the distribution must be installed there.
            options.view_as(SetupOptions).save_main_session = False
            options.get_all_options()  # a runner would look at its flags only in the end
            pipeline = beam.Pipeline(options=options)
        # Beam removes this folder when the pipeline has run, and some are never run. It is for
        # transforms in other languages, of which there are none.
        shutil.rmtree(pipeline.local_tempdir, ignore_errors=True)
    except SystemExit as error:
        said = complaint.getvalue().strip().rpartition("error: ")[2]
        raise CommandError(f"flags for Beam: {said}", exit_code=EXIT_USAGE) from error
    except (ValueError, ImportError, AttributeError, TypeError) as error:
        raise CommandError(f"--runner: {last_words(error)}", exit_code=EXIT_USAGE) from error
    runner = type(pipeline.runner).__name__
    if runner in REFUSED_RUNNERS:
        raise CommandError(
            f"--runner must name one runner such as FlinkRunner or DataflowRunner, got {runner}",
            exit_code=EXIT_USAGE,
        )
    return pipeline


def read_stage_seconds(result: PipelineResult) -> StageSeconds:
    """The seconds that the stages measured batch by batch, by stage."""
    seconds: dict[str, float] = {}
    for latency in result.metrics().query()["distributions"]:
        if latency.key.metric.name == LATENCY:
            name = latency.key.metric.namespace
            seconds[name] = seconds.get(name, 0.0) + latency.result.sum / 1e6
    return StageSeconds(seconds)
