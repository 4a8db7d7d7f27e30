import ast
import importlib
import pickle

import pytest

from indexes.errors import PairloomError

PACKAGES = ("indexes", "transforms", "editing", "pipelines", "pairloom")
NOT_TOLD = {"FooterError", "ForbiddenAddressError", "PlainDataError", "TarError", "ThriftError"}
"""What becomes another error before it leaves its room."""
MADE_FROM = {"PictureError": ("too_small", "1 x 1"), "FetchError": ("deadline", "not done")}


def error_classes(root):
    """Module and name of every class of ours that is named as an error."""
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            module = ".".join(path.relative_to(root).with_suffix("").parts)
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
                    yield module, node.name


@pytest.fixture(scope="module")
def classes(request):
    """All of them, by name."""
    found = set(error_classes(request.config.rootpath))
    return {name: getattr(importlib.import_module(module), name) for module, name in found}


def test_every_error_of_ours_has_one_base(classes):
    assert len(classes) > 15
    others = {name for name, one in classes.items() if not issubclass(one, PairloomError)}
    assert others == NOT_TOLD


def test_every_error_crosses_process_borders(classes):
    for name, one in classes.items():
        error = one(*MADE_FROM.get(name, ("photos: no such folder",)))
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), vars(again)) == (one, str(error), vars(error))
