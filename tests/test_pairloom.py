"""The public face: what is imported when, what type checkers see, and what is said when hidden."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import pairloom
from pairloom.own_packages import OWN_PACKAGES, check_own_packages

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("torch", "apache_beam", "transformers", "numpy", "pyarrow", "transforms", "pipelines")


def python(*words, cwd):
    """A Python of its own, started in `cwd`."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env={"PYTHONPATH": f"{cwd}:{ROOT}", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def names_for_type_checkers():
    tree = ast.parse(Path(pairloom.__file__).read_text(encoding="utf-8"))
    block = next(
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    imported = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    declared = {
        node.target.id: None
        for node in block.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    return imported | declared


class TestImport:
    def test_nothing_heavy_is_imported_before_a_name_is_asked_for(self, tmp_path):
        code = "import pairloom, sys; dir(pairloom); print(*sys.modules)"
        ended = python("-c", code, cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
        assert set(HEAVY).isdisjoint(ended.stdout.split())

    def test_a_record_brings_neither_beam_nor_torch(self, tmp_path):
        code = "import sys; from pairloom import SourceImage; print(*sys.modules)"
        ended = python("-c", code, cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
        assert {"torch", "apache_beam", "transformers"}.isdisjoint(ended.stdout.split())

    def test_a_name_is_what_its_module_has(self):
        from transforms.record import SourceImage

        assert pairloom.SourceImage is SourceImage
        assert vars(pairloom)["SourceImage"] is SourceImage

    def test_a_name_that_is_not_there(self):
        with pytest.raises(AttributeError, match="module 'pairloom' has no attribute 'opne_index'"):
            pairloom.opne_index  # noqa: B018 - asking is the test

    def test_all_names_are_listed_once_and_found_by_dir(self):
        assert len(set(pairloom.__all__)) == len(pairloom.__all__)
        assert dir(pairloom) == sorted(pairloom.__all__)

    def test_type_checkers_see_the_names_that_are_public(self):
        assert sorted(names_for_type_checkers()) == sorted(pairloom.__all__)

    @pytest.mark.parametrize(("name", "module"), names_for_type_checkers().items())
    def test_type_checkers_see_what_is_loaded(self, name, module):
        if module is None:
            assert isinstance(getattr(pairloom, name), str)
            return
        assert getattr(pairloom, name) is getattr(importlib.import_module(module), name)


class TestHidden:
    @pytest.mark.parametrize(
        ("name", "file"),
        [("transforms", "transforms.py"), ("editing", "editing/__init__.py")],
    )
    def test_a_name_says_which_file_is_in_the_way(self, tmp_path, name, file):
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        path.write_text("'mine'\n")
        ended = python("-c", "from pairloom import load_preset", cwd=tmp_path)
        assert ended.returncode == 1
        last = ended.stderr.splitlines()[-1]
        place = path if path.stem == name else path.parent
        assert last.startswith(f"ImportError: {place} hides pairloom's package {name}: ")
        assert "rename it" in last

    def test_the_command_says_so_in_one_line(self, tmp_path):
        (tmp_path / "pipelines.py").write_text("'mine'\n")
        ended = python("-m", "pairloom", "--version", cwd=tmp_path)
        assert ended.returncode == 1
        (line,) = ended.stderr.splitlines()
        assert line.startswith(f"pairloom: error: {tmp_path}/pipelines.py hides pairloom's package")

    def test_a_module_that_was_loaded_first(self, tmp_path):
        code = (
            "import sys, types; sys.modules['indexes'] = types.ModuleType('indexes'); "
            "from pairloom import open_index"
        )
        last = python("-c", code, cwd=tmp_path).stderr.splitlines()[-1]
        assert "a module indexes that is loaded already hides pairloom's package indexes" in last

    def test_a_package_that_is_not_there(self):
        with pytest.raises(ImportError, match="package no_such_room is not installed"):
            check_own_packages(["no_such_room"])

    def test_all_own_packages_are_looked_after(self):
        check_own_packages()
        ours = {path.parent.name for path in ROOT.glob("*/py.typed")}
        assert ours == {*OWN_PACKAGES, "pairloom"} - {"data_manifests"}


def test_the_package_is_the_command(tmp_path):
    ended = python("-m", "pairloom", "--version", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"pairloom {pairloom.__version__}\n"
