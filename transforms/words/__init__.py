"""Words: the lexicon, tags and senses, and which change of a caption makes sense."""
