"""The commands, a folder each, and what they share.

`terminal` is what they say and read, `running` how a job runs on one machine or many, `still_life`
the built-in world as a source and its truth. Everything below can be used without this package.
"""
