"""Editors that change a picture by words: what each is, how it is trained, and how it is measured.

Everything here works on pictures and tensors and knows neither Beam nor the command line. An editor
is a folder in `editing.editors` and a line in `editing.registry`; the other rooms are what editors
share.
"""
