"""`pairloom fetch`: the pictures behind a list of links.

What it writes is a source for `index` and `build`; the fetching itself is `transforms.fetching`.
"""
