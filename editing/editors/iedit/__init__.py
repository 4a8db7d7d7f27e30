"""iEdit (Bodur et al. 2023): a diffusion model fine-tuned on pairs, edits that keep to a mask."""
