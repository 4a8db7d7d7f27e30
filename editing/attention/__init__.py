"""What a noise network looks at: its attention to words, watched and steered.

`capture` keeps the maps of a pass and can add to their logits, `tokens` says which tokens of a
prompt stand for a phrase.
"""
