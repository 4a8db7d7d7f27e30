from flink_cluster import flags, settings
from places import find_places

from pipelines.main import read_arguments
from pipelines.running.beam_flags import refuse_unknown


def test_the_flags_it_prints_are_ones_that_beam_knows(tmp_path):
    words = ["index", "still-life", "--out", "x", *flags(find_places(str(tmp_path)))]
    arguments = read_arguments(words)
    assert arguments.runner == "FlinkRunner"
    refuse_unknown(arguments.beam_flags)


def test_a_worker_that_dies_does_not_end_the_job(tmp_path):
    found = settings(find_places(str(tmp_path)))
    assert found["restart-strategy.type"] == "fixed-delay"
    assert int(found["restart-strategy.fixed-delay.attempts"]) > 1
    assert all(str(tmp_path) in value for name, value in found.items() if name.endswith("dirs"))
