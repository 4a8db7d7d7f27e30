"""The rows of the pairs, with their pictures, which are fetched when a row is written."""

import hashlib
from collections.abc import Callable, Iterable, Iterator

from transforms.dataset.rows import Row, pair_to_row
from transforms.protocols import SourceError
from transforms.record import EditExample, Reject, reject_query

OpenPicture = Callable[[str], bytes]
PicturePair = tuple[bytes, bytes]
FetchPictures = Callable[[EditExample], PicturePair]

STAGE = "write"


def fetch_picture(open_picture: OpenPicture, reference: str, sha256: str) -> bytes:
    """The picture at `reference`, which must be the one that was captioned and embedded.

    Raises:
        SourceError: it is gone, or its bytes are no longer those with the hash `sha256`.
    """
    data = open_picture(reference)
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise SourceError(f"{reference} has changed: SHA-256 must be {sha256}, got {found}")
    return data


def fetch_both(
    example: EditExample, *, open_source: OpenPicture, open_target: OpenPicture
) -> PicturePair:
    """The source picture and the pseudo-target of `example`.

    Raises:
        SourceError: one of them is gone or has changed.
    """
    source, target = example.query.source, example.target
    return (
        fetch_picture(open_source, source.reference, source.content_sha256),
        fetch_picture(open_target, target.reference, target.content_sha256),
    )


class PairRows:
    """The rows of the pairs, made one at a time as they are asked for.

    `fetch` gives the two pictures of an example. A pair for which it raises `SourceError` becomes a
    reject; `examples` and `rejects` hold what was written and what was not once the rows have been
    taken.
    """

    def __init__(self, fetch: FetchPictures) -> None:
        self._fetch = fetch
        self.examples: list[EditExample] = []
        self.rejects: list[Reject] = []

    def rows(self, examples: Iterable[EditExample]) -> Iterator[Row]:
        """The row of each example whose two pictures can be fetched."""
        for example in examples:
            try:
                input_image, edited_image = self._fetch(example)
            except SourceError as error:
                self.rejects.append(_gone(example, str(error)))
                continue
            self.examples.append(example)
            yield pair_to_row(example, input_image=input_image, edited_image=edited_image)


def _gone(example: EditExample, detail: str) -> Reject:
    return reject_query(
        example.query,
        stage=STAGE,
        reason="picture_gone",
        detail=detail,
        candidate=example.target,
    )
