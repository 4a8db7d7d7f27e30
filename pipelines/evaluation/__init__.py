"""`pairloom evaluate`: what editors are worth, in figures and pictures.

`job` makes the edits cell by cell, `summary` the figures of them, `page` and `curves` what a person
looks at; `cases` draws which pairs are edited.
"""
