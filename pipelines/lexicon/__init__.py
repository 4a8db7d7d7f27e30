"""`pairloom lexicon`: the word table, made of WordNet and a hand-written list."""
