"""`pairloom edit`: one picture edited by words.

The editor, its weights and its regions come from flags; the command names none of them itself.
"""
