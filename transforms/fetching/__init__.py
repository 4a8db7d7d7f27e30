"""Fetching pictures from links: whom to ask, what to accept, where it is kept.

`policy`, with `networks` and `robots_tag`, decides what is allowed; `hosts` which link is next;
`asking`, with `lookups` and `bodies`, sends one request; `fetcher` goes through many links. `store`
writes what img2dataset's readers read, and `partial` keeps what has come of a shard till then.
"""
