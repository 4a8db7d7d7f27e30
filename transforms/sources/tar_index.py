"""The samples of a tar: members of one name, however the name is spelled.

A sample's key is the member's path up to the first dot of its last part, without `./` and the like
in it. Hidden members (a part of the path begins with a dot, `._photo.jpg` of a Mac among them) and
what a Mac puts into `__MACOSX` are passed over, as a folder's are. A link is followed to a member
of the same tar and never out of it.
"""

import os
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote_from_bytes

from transforms.sources.tar_members import Kind, TarError, TarMember, read_members
from transforms.sources.texts import safe_key

PICTURES = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff")
"""Endings of pictures, the first that a sample has is its picture."""
_PASSED_OVER = frozenset({"__MACOSX", "@LongLink", "pax_global_header", "@PaxHeader"})
_MAX_LINKS = 8

Member = tuple[int, int]
"""Offset of a member's data in the tar, and its size, in bytes."""


@dataclass(slots=True)
class Sample:
    """Members of one name: `members` by ending, and under `others` what cannot be read of it."""

    key: str
    repeated: bool = False
    members: dict[str, Member] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)

    @property
    def picture(self) -> Member | None:
        """The member that is the sample's picture."""
        return next((self.members[name] for name in PICTURES if name in self.members), None)


@dataclass
class _Links:
    """Where each member is, by its path, and the links that are still to be followed."""

    members: dict[str, Member] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)
    waiting: list[tuple[Sample, str, str]] = field(default_factory=list)


def index_tar(path: Path) -> tuple[tuple[Sample, ...], str]:
    """The samples in order of first appearance, and what is wrong with the file, or nothing.

    A file that is damaged or cut short gives the samples before that; the last of them, of which
    there might have been more, is left out.

    Raises:
        TarError: not a single member can be read.
        OSError: the file cannot be read.
    """
    samples: list[Sample] = []
    by_key: dict[str, Sample] = {}
    links = _Links()
    members = 0
    fault = ""
    whole = True
    with path.open("rb") as file:
        try:
            for member in read_members(file):
                members += 1
                _add(samples, by_key, links, member)
        except TarError as error:
            if not members:
                raise
            fault = f"cut short or damaged after {len(samples)} samples: {error}"
            whole = error.after_end
        size = file.seek(0, os.SEEK_END)
    if samples and not whole:
        samples.pop()
        samples = [sample for sample in samples if _is_within(sample, size)]
    _follow(links)
    return tuple(samples), fault


def _is_within(sample: Sample, size: int) -> bool:
    return all(offset + length <= size for offset, length in sample.members.values())


def _add(
    samples: list[Sample], by_key: dict[str, Sample], links: _Links, member: TarMember
) -> None:
    parts = _parts(member.name)
    if member.kind is Kind.FOLDER or not parts or any(map(_is_passed_over, parts)):
        return
    path = "/".join(parts)
    folder, name = path[: -len(parts[-1])], parts[-1]
    stem, _, extension = name.partition(".")
    key = safe_key(folder + stem)
    extension = extension.strip().lower()
    # A Mac decomposes letters with marks, other systems do not: both spell the same name.
    same = unicodedata.normalize("NFC", key)
    sample = by_key.get(same)
    if sample is None or extension in sample.members or extension in sample.others:
        sample = Sample(key, repeated=sample is not None)
        samples.append(sample)
        by_key[same] = sample
    if member.kind is Kind.FILE:
        sample.members[extension] = links.members[path] = (member.offset, member.size)
        return
    sample.others[extension] = member.kind.value
    if member.kind is Kind.LINK:
        target = _parts(member.target)
        if member.relative:
            absolute = member.target.startswith(b"/")
            target = ["..", *target] if absolute else [*parts[:-1], *target]
        links.targets[path] = "/".join(_resolve(target) or [])
        links.waiting.append((sample, extension, path))


def _follow(links: _Links) -> None:
    """Gives links to members of the tar what they point to, wherever in the tar that stands."""
    for sample, extension, path in links.waiting:
        target = path
        for _ in range(_MAX_LINKS):
            target = links.targets.get(target, target)
        if target in links.members:
            del sample.others[extension]
            sample.members[extension] = links.members[target]
        else:
            sample.others[extension] = "a link to what the tar does not hold"


def _resolve(parts: list[str]) -> list[str] | None:
    """The path with `..` followed; None where it leads out of the tar."""
    found: list[str] = []
    for part in parts:
        if part != "..":
            found.append(part)
        elif found:
            found.pop()
        else:
            return None
    return found


def _parts(name: bytes) -> list[str]:
    try:
        text = name.decode()
    except UnicodeDecodeError:
        # Each byte that is no text stays to be told from the others.
        text = "".join(
            character if character < "\ud800" or character > "\udfff" else _escape(character)
            for character in name.decode("utf-8", "surrogateescape")
        )
    return [part for part in text.split("/") if part not in ("", ".")]


def _escape(character: str) -> str:
    return quote_from_bytes(character.encode("utf-8", "surrogateescape"))


def _is_passed_over(part: str) -> bool:
    return part in _PASSED_OVER or (part.startswith(".") and part != "..")
