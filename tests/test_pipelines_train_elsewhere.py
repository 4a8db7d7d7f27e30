"""Training where accelerate finds a device of its own: nothing mixes, and it learns the same."""

import pytest
from accelerate import Accelerator
from fakes.accelerator import forget_accelerator
from fakes.command_line import pool_folder, run
from fakes.far_device import FAR, far_device

from editing.registry import EDITORS

TRAINED = [name for name, spec in EDITORS.items() if spec.recipe is not None]


@pytest.fixture(autouse=True)
def fresh_accelerate():
    forget_accelerator()
    yield
    forget_accelerator()


def last_losses(world, name, out):
    """Those of the last of three steps, which depend on what the others did to the weights."""
    flags = ("--steps", 3, "--batch-size", 2, "--checkpoint-every", 2, "--sample-every", 2)
    more = ("--num-inference-steps", 2) if name == "learned-regions" else ()
    preset = ("--preset", world / "tiny.yaml", "--gradients-every", 1, "--learning-rate", 1e-2)
    asked = ("--editor", name, "--out", out, *preset, *flags, *more, "--json")
    outcome = run("train", data_of(world, name), *asked)
    assert outcome.code == 0, outcome.err
    return outcome.counts["terms"]


def data_of(world, name):
    """The pairs of `world`, or an index by its networks."""
    recipe = EDITORS[name].recipe
    assert recipe is not None
    if recipe.data == "pairs":
        return world / "pairs"
    index = world / "index"
    if not index.exists():
        flags = ("--captions", "source", "--preset", world / "tiny.yaml")
        assert run("index", pool_folder(), "--out", index, *flags).code == 0
    return index


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_it_learns_the_same(editing_world, tmp_path, monkeypatch, name):
    near = last_losses(editing_world, name, tmp_path / "near")
    forget_accelerator()
    monkeypatch.setattr(Accelerator, "device", FAR)
    with far_device():
        far = last_losses(editing_world, name, tmp_path / "far")
    assert near
    assert far == pytest.approx(near, rel=1e-4)
