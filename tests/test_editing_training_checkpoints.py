"""Checkpoints: whole or not there, and of the run that goes on from them."""

import dataclasses

import pytest
import torch

from editing.training.checkpoints import (
    Checkpoint,
    CheckpointError,
    list_checkpoints,
    load_last_checkpoint,
    save_checkpoint,
)

CHECKPOINT = Checkpoint(3, "one", {"w": torch.ones(2)}, ({"state": {}, "param_groups": []},))


def test_it_comes_back(tmp_path):
    save_checkpoint(tmp_path, CHECKPOINT)
    found = load_last_checkpoint(tmp_path, identities=["one"])
    assert (found.step, found.identity, found.optimisers) == (3, "one", CHECKPOINT.optimisers)
    assert torch.equal(found.weights["w"], torch.ones(2))


def test_weights_with_gradients_are_saved_without_them(tmp_path):
    trained = {"w": torch.nn.Parameter(torch.ones(2, 3)).t()}
    save_checkpoint(tmp_path, dataclasses.replace(CHECKPOINT, weights=trained))
    found = load_last_checkpoint(tmp_path, identities=["one"]).weights["w"]
    assert (found.shape, found.requires_grad) == ((3, 2), False)


def test_the_last_ones_are_kept(tmp_path):
    for step in (1, 2, 10):
        save_checkpoint(tmp_path, dataclasses.replace(CHECKPOINT, step=step))
    assert [path.name for path in list_checkpoints(tmp_path)] == [
        "checkpoint-00000002",
        "checkpoint-00000010",
    ]


def test_the_same_step_s_is_replaced(tmp_path):
    for value in (1.0, 2.0):
        weights = {"w": torch.full((2,), value)}
        save_checkpoint(tmp_path, dataclasses.replace(CHECKPOINT, weights=weights))
    found = load_last_checkpoint(tmp_path, identities=["one"])
    assert found.weights["w"].tolist() == [2, 2]


def test_none_is_none(tmp_path):
    assert load_last_checkpoint(tmp_path / "nowhere", identities=["one"]) is None


def test_it_may_have_any_name_that_the_run_had(tmp_path):
    save_checkpoint(tmp_path, CHECKPOINT)
    assert load_last_checkpoint(tmp_path, identities=("today", "one")).identity == "one"


@pytest.mark.parametrize("identities", [["two"], ["on"], []])
def test_another_run_s_is_refused(tmp_path, identities):
    save_checkpoint(tmp_path, CHECKPOINT)
    with pytest.raises(CheckpointError, match="is of a run with other settings"):
        load_last_checkpoint(tmp_path, identities=identities)


@pytest.mark.parametrize("name", ["trained.safetensors", "optimisers.pt", "state.json"])
def test_a_damaged_one_is_refused(tmp_path, name):
    path = save_checkpoint(tmp_path, CHECKPOINT) / name
    path.write_bytes(path.read_bytes()[:5])
    with pytest.raises(CheckpointError, match="is damaged"):
        load_last_checkpoint(tmp_path, identities=["one"])


@pytest.mark.parametrize("name", ["trained.safetensors", "optimisers.pt", "state.json"])
def test_one_that_lacks_a_file_is_refused(tmp_path, name):
    (save_checkpoint(tmp_path, CHECKPOINT) / name).unlink()
    with pytest.raises(CheckpointError, match="is damaged"):
        load_last_checkpoint(tmp_path, identities=["one"])


def test_an_unfinished_one_is_not_there(tmp_path):
    save_checkpoint(tmp_path, CHECKPOINT)
    (tmp_path / ".checkpoint-00000009.tmp").mkdir()
    assert load_last_checkpoint(tmp_path, identities=["one"]).step == 3
