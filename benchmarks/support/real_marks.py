"""Marks that a person gave edits of real captions: data_manifests/lexicon/real_captions.tsv."""

from dataclasses import dataclass

from transforms.package_data import find_package_data

MARKS = find_package_data("data_manifests", "lexicon/real_captions.tsv")


@dataclass(frozen=True)
class EditMark:
    """One edit and its mark: 2 sensible, 1 unlikely or hardly visible, 0 nonsense.

    `rewriter` is `old` (that of 0.1), `before` (that of the round before) or `new`.
    """

    round: str
    set: str
    key: str
    rewriter: str
    source_phrase: str
    target_phrase: str
    sensible: int


def read_marks() -> list[EditMark]:
    """All marks, in the order of the file."""
    lines = MARKS.read_text(encoding="utf-8").splitlines()[1:]
    cells = [line.split("\t") for line in lines]
    return [
        EditMark(
            round=each[0],
            set=each[1],
            key=each[2],
            rewriter=each[3],
            source_phrase=each[4],
            target_phrase=each[5],
            sensible=int(each[8]),
        )
        for each in cells
    ]
