"""What is in the distributions, and that what is installed from them works by itself."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PACKAGES = (
    "pairloom",
    "pipelines",
    "editing",
    "transforms",
    "indexes",
    "stilllife",
    "data_manifests",
)
BUILD = "import sys; from setuptools import build_meta as b; b.build_{kind}(sys.argv[1])"


def run(*words, cwd):
    """What a program of its own says, which must end well."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    ended = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=environment | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
    return ended.stdout


def files_below(root, *folders):
    found = (path for folder in folders for path in (root / folder).rglob("*"))
    return {str(path.relative_to(root)) for path in found if path.is_file()}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the project, so that nothing built before is in the way."""
    copy = tmp_path_factory.mktemp("tree") / "tree"
    folders = [ROOT / name for name in (*PACKAGES, "tests", "docs", "benchmarks")]
    for folder in folders:
        shutil.copytree(folder, copy / folder.name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.is_file() and not path.name.startswith("."):
            shutil.copy(path, copy)
    return copy


@pytest.fixture(scope="module")
def unpacked(tree, tmp_path_factory):
    """The source distribution, unpacked."""
    out = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-c", BUILD.format(kind="sdist"), out, cwd=tree)
    (archive,) = out.glob("pairloom-*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(out, filter="data")
    return out / archive.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def wheel(unpacked, tmp_path_factory):
    """The wheel that the source distribution gives."""
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-c", BUILD.format(kind="wheel"), out, cwd=unpacked)
    (found,) = out.glob("pairloom-*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A new environment with the wheel, which borrows nothing but others' packages from ours."""
    home = tmp_path_factory.mktemp("venv") / "venv"
    venv.create(home)
    python = home / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--no-index", "--no-deps", wheel, cwd=home)
    (packages,) = home.glob("lib/python*/site-packages")
    # Python reads no .pth files in folders that a .pth file names: an editable install stays out.
    borrowed = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (packages / "borrowed.pth").write_text("\n".join(borrowed) + "\n")
    return home


class TestRequirements:
    def test_every_dependency_has_one_lower_bound_and_stands_once(self):
        extras = PROJECT["optional-dependencies"].values()
        wanted = [*PROJECT["dependencies"], *(each for extra in extras for each in extra)]
        form = re.compile(r"([A-Za-z][\w.-]*)(?:\[[a-z]+\])?>=\d+(\.\d+)*")
        parsed = [form.fullmatch(each) for each in wanted]
        assert all(parsed), [each for each, found in zip(wanted, parsed, strict=True) if not found]
        names = [found[1].lower().replace("_", "-") for found in parsed]
        assert len(set(names)) == len(names)

    def test_what_commits_are_checked_by_is_the_gate_s(self):
        hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        development = " ".join(PROJECT["optional-dependencies"]["dev"])
        for repository in hooks["repos"]:
            assert repository["repo"] == "local"
            for hook in repository["hooks"]:
                program, word = hook["entry"].split()[:2]
                if program == "make":
                    assert f"\n{word}:" in makefile
                else:
                    assert f"{Path(program).name}>=" in development

    def test_every_python_that_is_promised_is_tried(self):
        text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
        steps = yaml.safe_load(text)["jobs"]["test"]
        promised = [re.fullmatch(r".* :: (3\.\d+)", each) for each in PROJECT["classifiers"]]
        assert steps["strategy"]["matrix"]["python"] == [each[1] for each in promised if each]
        assert {"run": "make test"} in steps["steps"]


@pytest.mark.packaging
class TestDistributions:
    def test_the_source_distribution_holds_the_packages_and_their_tests(self, tree, unpacked):
        folders = (*PACKAGES, "tests", "docs", "benchmarks")
        assert files_below(unpacked, *folders) == files_below(tree, *folders)

    def test_the_wheel_holds_every_file_of_the_packages(self, tree, wheel):
        with zipfile.ZipFile(wheel) as archive:
            names = set(archive.namelist())
        expected = files_below(tree, *PACKAGES)
        assert {name for name in names if ".dist-info/" not in name} == expected
        typed = {f"{package}/py.typed" for package in PACKAGES if package != "data_manifests"}
        assert typed <= names

    def test_what_is_installed_makes_pairs_by_itself(self, installed, tmp_path):
        python, command = installed / "bin" / "python", installed / "bin" / "pairloom"
        code = "from importlib import import_module as load; import sys; " + (
            "print(*(load(name).__file__ for name in sys.argv[1:]), sep='\\n')"
        )
        for place in run(python, "-c", code, *PACKAGES[:-1], cwd=tmp_path).split():
            assert Path(place).is_relative_to(installed), place
        version = run(python, "-m", "pairloom", "--version", cwd=tmp_path)
        assert version == f"pairloom {PROJECT['version']}\n"
        words = ("demo", "--sources", "200", "--pool", "600", "--workers", "1", "--json")
        counts = json.loads(run(command, *words, "--out", "demo", cwd=tmp_path).splitlines()[-1])
        assert counts["pairs"] > 50
        assert counts["right"] > 0.9 * counts["pairs"]
        assert (tmp_path / "demo" / "report.html").stat().st_size > 10_000
