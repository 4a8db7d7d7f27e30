"""The rows of the pairs, with their pictures, which are fetched just before a row is written."""

import hashlib
from collections.abc import Callable, Iterable, Iterator

from transforms.dataset.rows import Row, pair_to_row
from transforms.protocols import SourceError
from transforms.record import EditExample, Reject, reject_query

OpenPicture = Callable[[str], bytes]
PicturePair = tuple[bytes, bytes]
Fetched = tuple[EditExample, PicturePair | SourceError]
"""An example with its pictures, or with why it has none."""
FetchPictures = Callable[[Iterable[EditExample]], Iterator[Fetched]]
"""Fetches the pictures of examples, each when its row is wanted or a little before; in order."""

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


def try_fetch(example: EditExample, *, fetch: Callable[[EditExample], PicturePair]) -> Fetched:
    """`example` with what `fetch` gives, or with the `SourceError` that it raises."""
    try:
        return example, fetch(example)
    except SourceError as error:
        return example, error


def fetch_by_turns(
    examples: Iterable[EditExample], *, fetch: Callable[[EditExample], PicturePair]
) -> Iterator[Fetched]:
    """`try_fetch` for one example after another."""
    return (try_fetch(example, fetch=fetch) for example in examples)


class PairRows:
    """The rows of the pairs, made one at a time as they are asked for.

    A pair whose pictures could not be fetched becomes a reject; `examples` and `rejects` hold what
    was written and what was not once the rows have been taken.
    """

    def __init__(self) -> None:
        self.examples: list[EditExample] = []
        self.rejects: list[Reject] = []

    def rows(self, fetched: Iterable[Fetched]) -> Iterator[Row]:
        """The row of each example that has its two pictures."""
        for example, found in fetched:
            if isinstance(found, SourceError):
                self.rejects.append(_gone(example, str(found)))
                continue
            self.examples.append(example)
            yield pair_to_row(example, input_image=found[0], edited_image=found[1])


def _gone(example: EditExample, detail: str) -> Reject:
    return reject_query(
        example.query,
        stage=STAGE,
        reason="picture_gone",
        detail=detail,
        candidate=example.target,
    )
