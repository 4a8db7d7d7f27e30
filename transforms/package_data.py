"""Files that come with an installed package, such as the presets and the templates of the pages.

They are found in a wheel, an editable install and a checkout alike, and the package they lie in is
not imported for it. `data_manifests`, which holds data alone, has no `__init__`.
"""

import importlib.util
from pathlib import Path


def package_folders(package: str) -> tuple[Path, ...]:
    """The folders of the top-level `package`; none where it is not installed.

    A package without `__init__` may have several, one for each place it was found in.
    """
    # For a top-level name find_spec only looks; a dotted name, and importlib.resources, import.
    try:
        found = importlib.util.find_spec(package) if package.isidentifier() else None
    except ValueError:  # a module made in memory, such as one that runs as __main__
        return ()
    roots = found.submodule_search_locations if found else None
    return tuple(Path(root) for root in roots or ())


def find_package_data(package: str, inside: str) -> Path:
    """The file or folder at the path `inside` the top-level `package`.

    Raises:
        FileNotFoundError: the package is not installed, or has nothing there.
    """
    for folder in package_folders(package):
        if (folder / inside).exists():
            return folder / inside
    raise FileNotFoundError(f"the installed package {package} has no {inside}")
