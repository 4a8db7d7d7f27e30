"""Words: the lexicon, tags and senses, and which change of a caption makes sense.

`proposals` puts them together: from a caption to the edits that are tried.
"""
