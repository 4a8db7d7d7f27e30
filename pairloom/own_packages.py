"""Whether Python finds our own packages, and not something else of the same name.

Their names are plain words, so a script `transforms.py` beside the one that is run, or a folder
`editing` where Python was started, can be imported in their place.
"""

import importlib.util
from collections.abc import Iterable
from pathlib import Path

OWN_PACKAGES = ("pipelines", "editing", "transforms", "indexes", "stilllife", "data_manifests")


def check_own_packages(names: Iterable[str] = OWN_PACKAGES) -> None:
    """Refuses to go on where one of our packages is hidden; imports none of them.

    Raises:
        ImportError: in one line that names the file in the way and says what to do.
    """
    root = Path(__file__).resolve().parent.parent
    for name in names:
        found = find_places(name)
        if not found:
            raise ImportError(f"pairloom's package {name} is not installed: install pairloom again")
        if root / name not in found:
            raise ImportError(
                f"{found[0]} hides pairloom's package {name}: Python finds it first; rename it, "
                "or start Python where neither the script's folder nor PYTHONPATH leads to it"
            )


def find_places(name: str) -> list[Path]:
    """The folders of the top-level package that `import name` gives; of a plain module, its file.

    Empty where there is no such package.
    """
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # a module that somebody made by hand
        return [Path(f"a module {name} that is loaded already")]
    if spec is None:
        return []
    places = list(spec.submodule_search_locations or ())
    return [Path(place).resolve() for place in places or [spec.origin or name]]
