"""Where pictures come from: one adapter a file, each a `transforms.protocols.Source`.

A bad picture is a reject with its reason, a source that cannot be used one error.
"""
