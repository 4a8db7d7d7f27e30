"""Measuring edits: a statistic for each edit, and the figures and intervals made of many.

`measurer` makes the edits and keeps their statistics, `figures` makes curves over dials of them and
compares editors, `frechet` measures whole sets.
"""
