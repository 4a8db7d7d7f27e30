import os
import shutil
import subprocess
import sys
import textwrap

import pytest

from transforms.package_data import find_package_data, package_folders


def package(root, name, *, module=True):
    folder = root / name / "inside"
    folder.mkdir(parents=True)
    (folder / "file.txt").write_text(f"of {root.name}")
    if module:
        (root / name / "__init__.py").write_text("raise RuntimeError('imported')")
    return folder


@pytest.fixture
def on_path(tmp_path, monkeypatch):
    """Makes a folder that is looked for packages in."""

    def make(name):
        root = tmp_path / name
        root.mkdir()
        monkeypatch.syspath_prepend(str(root))
        return root

    return make


def test_files_and_folders_are_found_without_an_import(on_path):
    folder = package(on_path("one"), "drawers_of_one")
    assert find_package_data("drawers_of_one", "inside/file.txt") == folder / "file.txt"
    assert find_package_data("drawers_of_one", "inside") == folder
    assert "drawers_of_one" not in sys.modules


def test_a_package_without_init_may_lie_in_several_places(on_path):
    for root in ("first", "second"):
        package(on_path(root), "drawers_of_two", module=False)
    (second, first) = package_folders("drawers_of_two")
    (first / "more.txt").write_text("")
    found = find_package_data("drawers_of_two", "inside/file.txt")
    assert found == second / "inside" / "file.txt"  # the place that is looked at first wins
    assert find_package_data("drawers_of_two", "more.txt") == first / "more.txt"


@pytest.mark.parametrize("name", ["no_such_package", "not a name", "a.b", "", "__main__", "zlib"])
def test_what_is_no_package_has_no_folders(name):
    assert package_folders(name) == ()
    with pytest.raises(FileNotFoundError, match=f"the installed package {name} has no x.txt"):
        find_package_data(name, "x.txt")


def test_what_a_package_does_not_have_is_told(on_path):
    package(on_path("three"), "drawers_of_three")
    with pytest.raises(FileNotFoundError, match=r"drawers_of_three has no inside/other\.txt"):
        find_package_data("drawers_of_three", "inside/other.txt")


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("data_manifests", "lexicon/lexicon.tsv.gz"),
        ("data_manifests", "presets/stilllife.yaml"),
        ("pipelines", "report/page.css"),
        ("pipelines", "evaluation/page.html"),
        ("stilllife", "weights/judge"),
    ],
)
def test_our_own_data_are_found(name, inside):
    assert find_package_data(name, inside).exists()


ELSEWHERE = """
    import sys
    sys.path.insert(0, {root!r})
    from transforms.package_data import find_package_data
    from transforms.presets import built_in_presets
    from transforms.words.lexicon import packaged_table
    print(packaged_table(), find_package_data("pipelines", "report/page.html"))
    print(*built_in_presets().values())
    print("pipelines" in sys.modules, "torch" in sys.modules)
"""


def test_they_are_found_wherever_the_packages_lie(request, tmp_path):
    """As in an unpacked wheel; the installation that runs this test is not looked at."""
    root = tmp_path / "site-packages"
    for name in ("data_manifests", "indexes", "pipelines", "transforms"):
        shutil.copytree(request.config.rootpath / name, root / name)
    said = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(ELSEWHERE.format(root=str(root)))],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    *paths, imported = said.strip().splitlines()
    assert all(path.startswith(str(root)) for line in paths for path in line.split())
    assert imported == "False False"
