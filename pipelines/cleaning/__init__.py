"""Cleaning a data set of pairs: filters, near-copies, splits that don't leak, and balance.

`options` says what is wanted, `measuring` looks at the pictures, `grouping` joins near-copies,
`deciding` says of every pair whether and in which split it stays, `writing` writes the shards, and
`job` runs it all. `build`, `clean` and `decontaminate` are ways to ask for it.
"""
