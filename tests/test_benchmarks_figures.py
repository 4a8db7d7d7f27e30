"""README's table is what the kept results say, and a missing result is not passed over."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from figures import BEGIN, END, main, replace_table
from support.measurements import MEASUREMENTS, Measurement, choose, measure, write_result
from support.readme_table import render_table
from support.results import FOLDER, ResultError, Results

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
KEPT = sorted(path.name for path in FOLDER.glob("*.json"))


@pytest.fixture
def results(tmp_path):
    """A copy of the kept results, to be changed."""
    return Path(shutil.copytree(FOLDER, tmp_path / "results"))


def change(path, **figures):
    fields = json.loads(path.read_text(encoding="utf-8"))
    fields["figures"] |= figures
    path.write_text(json.dumps(fields), encoding="utf-8")


def test_the_readme_is_what_the_results_say():
    assert replace_table(README, render_table(Results())) == README


def test_every_kept_result_is_that_of_a_measurement_and_the_other_way_round():
    measured = {name.split("-seed")[0].removesuffix(".json") for name in KEPT}
    assert measured == {each.benchmark for each in MEASUREMENTS}


def test_the_table_follows_the_results(results):
    change(results / "memory-seed1.json", ratio={"build": 1.337, "index": 1.0})
    table = render_table(Results(results))
    assert "build 1.11, 1.34, 1.11 (" in table
    assert table != render_table(Results())


@pytest.mark.parametrize("benchmark", sorted({each.benchmark for each in MEASUREMENTS}))
def test_a_missing_result_is_an_error_that_says_how_to_get_it(benchmark, results):
    for path in results.glob(f"{benchmark}*.json"):
        path.unlink()
    with pytest.raises(ResultError, match=rf"no result of {benchmark} .*--measure {benchmark}"):
        render_table(Results(results))


def test_a_missing_figure_is_an_error(results):
    path = results / "memory-seed0.json"
    fields = json.loads(path.read_text(encoding="utf-8"))
    del fields["figures"]["ratio"]
    path.write_text(json.dumps(fields), encoding="utf-8")
    with pytest.raises(ResultError, match="memory lack 'ratio'"):
        render_table(Results(results))


@pytest.mark.parametrize("text", ["", "[1]", '{"seed": 0}'])
def test_what_is_not_a_result_is_an_error_that_names_the_file(text, results):
    (results / "editor_table.json").write_text(text, encoding="utf-8")
    with pytest.raises(ResultError, match=r"editor_table\.json is not a result"):
        render_table(Results(results))


def test_two_results_for_one_seed_are_an_error(results):
    shutil.copy(results / "identical_bytes.json", results / "identical_bytes-seed1.json")
    with pytest.raises(ResultError, match=r"each seed .* identical_bytes-seed1\.json"):
        render_table(Results(results))


def test_a_second_result_where_one_is_wanted_is_an_error(results):
    fields = json.loads((results / "full_size.json").read_text(encoding="utf-8"))
    (results / "full_size-seed7.json").write_text(json.dumps(fields | {"seed": 7}))
    with pytest.raises(ResultError, match="one result of full_size is wanted, got 2"):
        render_table(Results(results))


def test_fewer_seeds_make_a_shorter_row(results):
    (results / "memory-seed2.json").unlink()
    table = render_table(Results(results))
    assert "`benchmarks/memory.py --seed N`, N = 0, 1 | peak memory" in table
    assert "build 1.11, 1.11 (" in table


def test_a_difference_in_the_bytes_is_shown(results):
    fields = json.loads((results / "identical_bytes.json").read_text(encoding="utf-8"))
    total = fields["figures"]["total"] | {"the same": 90}
    change(results / "identical_bytes.json", total=total)
    assert f"the same in 90 of {total['compared']} comparisons" in render_table(Results(results))


def test_a_result_of_another_machine_is_said(results):
    path = results / "memory-seed2.json"
    fields = json.loads(path.read_text(encoding="utf-8"))
    fields.pop("measured", None)
    fields["hardware"] = {"cpu": "Abacus", "cores": 4, "virtual": False}
    path.write_text(json.dumps(fields), encoding="utf-8")
    first = render_table(Results(results)).splitlines()[0]
    assert "4-core Abacus machine" in first
    assert "2-core AMD EPYC virtual machine" in first


def test_every_row_has_three_cells():
    lines = [line for line in render_table(Results()).splitlines() if line.startswith("|")]
    assert len(lines) > 10
    assert {line.count("|") for line in lines} == {4}


def test_only_what_stands_between_the_comments_is_replaced():
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    made = replace_table(text, "new")
    assert made == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert replace_table(made, "new") == made


@pytest.mark.parametrize(
    "text", ["", BEGIN, f"{END} {BEGIN}", f"{BEGIN} {BEGIN} {END}", f"{BEGIN} {END} {END}"]
)
def test_a_text_without_the_two_comments_is_an_error(text):
    with pytest.raises(ResultError, match="the text must hold"):
        replace_table(text, "new")


def test_the_command_writes_the_file(results, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"{BEGIN}\n{END}\n", encoding="utf-8")
    assert main(["--results", str(results), "--readme", str(readme)]) == 0
    assert render_table(Results()) in readme.read_text(encoding="utf-8")


def test_the_command_leaves_the_file_alone_where_a_result_is_missing(results, tmp_path, capsys):
    readme = tmp_path / "README.md"
    readme.write_text(f"{BEGIN}\n{END}\n", encoding="utf-8")
    (results / "editor_table.json").unlink()
    assert main(["--results", str(results), "--readme", str(readme)]) == 1
    assert readme.read_text(encoding="utf-8") == f"{BEGIN}\n{END}\n"
    assert "no result of editor_table" in capsys.readouterr().err


def test_the_short_measurements_are_chosen_where_none_is_named():
    assert choose([]) == [each for each in MEASUREMENTS if each.short]
    named = choose(["memory"])
    assert [each.file_name for each in named] == [f"memory-seed{seed}.json" for seed in (0, 1, 2)]
    with pytest.raises(ResultError, match=r"benchmark must be one of pair_quality.*got speed"):
        choose(["speed"])


def test_a_measurement_that_is_named_is_of_a_benchmark_that_is_there():
    for each in MEASUREMENTS:
        assert each.command == [sys.executable, *each.command[1:]]
        assert (ROOT / each.command[1]).is_file()


@pytest.mark.slow
def test_a_measured_result_is_kept(tmp_path):
    flags = ("--pool", "400", "--queries", "40")
    path = measure(Measurement(benchmark="structure_position", seed=5, flags=flags), tmp_path)
    assert path == tmp_path / "structure_position-seed5.json"
    fields = json.loads(path.read_text(encoding="utf-8"))
    assert fields["command"] == (
        "python benchmarks/structure_position.py --pool 400 --queries 40 --seed 5 --json"
    )
    assert Results(tmp_path).one("structure_position").seeds == (5,)


@pytest.mark.slow
def test_a_benchmark_that_fails_leaves_no_result(tmp_path):
    broken = Measurement(benchmark="structure_position", flags=("--pool", "many"))
    with pytest.raises(ResultError, match="structure_position ended with 2"):
        measure(broken, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_line_that_is_no_json_is_not_kept(tmp_path):
    with pytest.raises(ResultError, match="the last line must be JSON, got 'done'"):
        write_result(tmp_path / "x.json", "done\n")
    assert not list(tmp_path.iterdir())
