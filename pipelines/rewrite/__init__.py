"""`pairloom rewrite`: edits of the captions in a text file, before a picture is looked at.

`captions` reads the file and names the pool; `command` is the command line.
"""
