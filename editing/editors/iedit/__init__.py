"""iEdit (Bodur et al. 2023): a diffusion model fine-tuned on pairs, edits that keep to a mask.

`spec` says what `iedit` and `iedit-m` are, `losses` has the paper's equations, `objective` puts
them together for the trainer.
"""
