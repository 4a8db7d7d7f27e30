"""The settings of iEdit's loss, and runs that an earlier version described."""

import dataclasses
import json
import math

import pytest
from fakes.type_checks import unchecked

from editing.editors.iedit.training_settings import TERMS, IEditTraining, upgrade_description
from editing.settings import describe_settings
from editing.training.loop_settings import LoopSettings
from editing.training.pair_settings import PairSettings


class TestRules:
    @pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
    def test_a_cap_that_is_none_is_refused(self, value):
        with pytest.raises(ValueError, match="snr_cap must be above 0, got"):
            IEditTraining(snr_cap=value)

    @pytest.mark.parametrize("value", [-1.0, math.nan])
    @pytest.mark.parametrize("term", TERMS)
    def test_weights_below_nothing_are_refused(self, term, value):
        with pytest.raises(ValueError, match=f"weight_{term} must be at least 0, got {value}"):
            IEditTraining(**{f"weight_{term}": value})

    def test_no_weight_at_all_is_refused(self):
        with pytest.raises(ValueError, match="at least one term"):
            IEditTraining(**{f"weight_{term}": 0 for term in TERMS})

    @pytest.mark.parametrize("value", [-0.1, 1.0, math.nan])
    def test_a_share_of_pairs_is_below_all(self, value):
        with pytest.raises(ValueError, match=r"empty_share must be in \[0, 1\), got"):
            IEditTraining(empty_share=value)

    def test_another_way_to_combine_masks_is_refused(self):
        rule = "^mask_combine must be one of paper, union, got 'both'$"
        with pytest.raises(ValueError, match=rule):
            unchecked(IEditTraining, mask_combine="both")

    def test_the_defaults_are_the_paper_s(self):
        found = IEditTraining()
        assert {term: found.weight(term) for term in TERMS} == {
            "loc": 1.0,
            "global": 1.0,
            "mask": 1.0,
            "paired": 0.0,
            "perc": 0.1,
        }
        assert (found.mask_combine, found.snr_cap, found.empty_share) == ("paper", None, 0.0)

    def test_ways_to_combine_masks_can_be_chosen_from(self):
        facts = {each.name: each for each in describe_settings(IEditTraining)}
        assert facts["mask_combine"].choices == ("paper", "union")
        assert facts["snr_cap"].optional


EARLIER = json.loads("""{
  "method": "iedit",
  "dataset": {"manifest_sha256": "5eb2"},
  "models": {"diffusion": "stable_diffusion a", "encoder": "clip b", "perceptual": "clip_layer c"},
  "options": {
    "steps": 400, "batch_size": 8, "accumulation": 2, "empty_share": 0.1, "learning_rate": 0.0001,
    "weight_decay": 0.01, "clip_norm": 1.0, "seed": 3, "precision": "bf16",
    "gradient_checkpointing": false, "optimiser": "adamw", "checkpoint_every": 100,
    "sample_every": 200, "gradients_every": 100
  },
  "weights": {
    "loc": 1.0, "global_": 0.5, "mask": 1.0, "paired": 0.25, "perc": 0.1, "snr_cap": 5.0
  },
  "mask_combine": "union",
  "prompts": "target",
  "quality": "directional",
  "align": true,
  "size": 64,
  "identity": "91c0",
  "software": {"torch": "2.9.0"}
}""")
"""The run.json of a run of version 0.1, every setting another than its default."""


class TestEarlierRuns:
    def test_they_become_what_the_same_run_is_described_as_today(self):
        loop = LoopSettings(
            steps=400,
            batch_size=8,
            accumulation=2,
            learning_rate=1e-4,
            seed=3,
            precision="bf16",
            checkpoint_every=100,
            sample_every=200,
        )
        objective = IEditTraining(
            weight_global=0.5,
            weight_paired=0.25,
            mask_combine="union",
            snr_cap=5.0,
            empty_share=0.1,
        )
        pairs = PairSettings(size=64, prompts="target", quality="directional", align=True)
        assert upgrade_description(EARLIER) == {
            "editor": "iedit",
            "dataset": EARLIER["dataset"],
            "models": EARLIER["models"],
            "loop": dataclasses.asdict(loop),
            "pairs": dataclasses.asdict(pairs),
            "objective": dataclasses.asdict(objective),
        }

    def test_what_was_read_stays_as_it_was(self):
        before = json.dumps(EARLIER)
        upgrade_description(EARLIER)
        assert json.dumps(EARLIER) == before

    @pytest.mark.parametrize("gone", ["options", "weights", "mask_combine", "align", "method"])
    def test_what_is_no_such_description_is_not_known(self, gone):
        with pytest.raises(KeyError, match=gone):
            upgrade_description({name: EARLIER[name] for name in EARLIER if name != gone})

    def test_today_s_is_none(self):
        with pytest.raises(KeyError):
            upgrade_description(upgrade_description(EARLIER))
