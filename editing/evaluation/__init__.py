"""Measuring edits: a statistic for each edit, and the figures and intervals made of many."""
