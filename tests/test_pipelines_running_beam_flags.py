from pathlib import Path

import pytest

from pipelines.running.beam_flags import names_flag, read_options, refuse_unknown, whole_paths
from pipelines.terminal.console import CommandError


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--paralelism=2", "there is no --paralelism, did you mean --parallelism?"),
        ("--flink-master=h:1", "there is no --flink-master, did you mean --flink_master?"),
        ("--checkpointing_intervall=9", "did you mean --checkpointing_interval?"),
        ("--quite_something=1", "there is no --quite_something$"),
        ("parallelism=2", "must look like --parallelism=2, got parallelism=2"),
        ("-p", "must look like --parallelism=2, got -p"),
    ],
)
def test_what_nobody_knows_is_refused(flag, said):
    with pytest.raises(CommandError, match=said) as raised:
        refuse_unknown(["--parallelism=2", flag])
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    "flags",
    [
        (),
        ("--flink_master=[local]", "--parallelism=2", "--environment_type=LOOPBACK"),
        ("--parallelism", "2", "--experiments=a", "--experiments=b"),
        ("--number_of_execution_retries=3", "--object_reuse", "--flink_conf_dir=/etc/flink"),
        ("--project=p", "--region=r", "--temp_location=gs://b/t", "--sdk_container_image=i"),
        ("--prism_location=/bin/prism", "--spark_master_url=spark://h:7077", "--bundle_size=5"),
    ],
)
def test_what_beam_or_a_job_server_knows_passes(flags):
    refuse_unknown(flags)


def test_options_are_read_with_their_defaults():
    options = read_options(["--runner=FlinkRunner", "--parallelism=3"])
    assert options["parallelism"] == 3
    assert options["flink_master"] == "[auto]"
    assert names_flag(["--parallelism=3"], "parallelism")
    assert names_flag(["--parallelism", "3"], "parallelism")
    assert not names_flag(["--max_parallelism=3"], "parallelism")


def test_paths_of_programs_become_whole_and_addresses_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = ("--prism_location=prism", "--flink_job_server_jar=https://h/j.jar", "--job_name=a/b")
    assert whole_paths(flags) == (f"--prism_location={Path.cwd() / 'prism'}", *flags[1:])
