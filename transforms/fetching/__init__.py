"""Fetching pictures from links: whom to ask, what to accept, where it is kept."""
