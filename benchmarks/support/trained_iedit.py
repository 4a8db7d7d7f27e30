"""Masked iEdit with trained weights, for tables in which it is one row of many."""

import argparse
from pathlib import Path

from support.editor_experiment import EditorExperiment
from support.editor_rows import OURS, ROWS

TRAINING = {"pool": 6000, "steps": 400, "batch_size": 8, "learning_rate": 1e-4, "workers": 1}
"""What `editor_table.py` trains with."""


def train_iedit(work: Path, *, preset: str) -> Path:
    """The weights of the best row of `editor_table.py`, trained in `work` or found there."""
    settings = argparse.Namespace(preset=preset, seed=0, **TRAINING)
    work.mkdir(parents=True, exist_ok=True)
    experiment = EditorExperiment(settings, work)
    weights = experiment.trained(OURS)
    pairs = ROWS[OURS].pairs
    assert pairs is not None, "this row is trained"
    experiment.make_training_pairs([pairs])
    experiment.train(OURS)
    return weights
