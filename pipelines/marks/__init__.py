"""What people say of pairs: the file of their marks, and what follows from it.

`strata` says which pairs are asked about, `marks_file` keeps the answers, the rest works with them.
"""
