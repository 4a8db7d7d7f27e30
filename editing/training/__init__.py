"""Training an editor on pairs: the stream of pairs, the loop, and its checkpoints.

The loop knows an `Objective`, which says what is drawn, what is trained and what the loss is; it
does not know which editor that belongs to.
"""
