"""Names in the results of SIMAT's benchmark."""

ONE, TWO = "one thing", "two things"
UNADAPTED = "no heads"
LIKE_THE_WEB_S = "noise, texts in a narrow cone"
"""The worse encoder most like a CLIP of the web: it sees less, and its texts are alike."""
