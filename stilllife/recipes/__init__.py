"""How the small models were trained: `python -m stilllife.recipes all` does it again.

One file a network, the training loop they share, and the card that tells what they are worth.
"""
