"""The editors, a folder each. A folder imports no other editor's.

`spec.py` says what an editor is without importing torch, `editor.py` edits, and where it is trained
the rest is how.
"""
