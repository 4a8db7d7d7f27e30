"""Fetching pictures from links: whom to ask, what to accept, where it is kept.

`policy` decides what is allowed, `fetcher` asks, `store` writes what img2dataset's readers read.
"""
