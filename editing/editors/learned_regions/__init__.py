"""Learned regions (Lin et al. 2024): edits without a mask, in boxes that are found for them.

See README.md beside this file.
"""
