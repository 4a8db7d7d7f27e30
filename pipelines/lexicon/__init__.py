"""`pairloom lexicon`: the word table, made of WordNet and a hand-written list.

`table` makes its rows, `wordnet` and `word_list` read what they are made of; the table that ships
is read by `transforms.words.lexicon`.
"""
