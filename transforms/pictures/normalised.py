"""An encoded picture as the pipeline keeps it."""

import builtins
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class NormalisedPicture:
    """An encoded picture of the pipeline's one kind.

    `bytes` is a JPEG, PNG or WebP file, upright, 8 bit, RGB or grey, one frame; `width` and
    `height` are its pixels, `sha256` the hash of `bytes` in hex, `extension` is `jpg`, `png` or
    `webp`.
    """

    bytes: builtins.bytes
    width: int
    height: int
    sha256: str
    extension: str

    def without_bytes(self) -> "NormalisedPicture":
        """The same, without the file, to be sent to whoever has it."""
        return replace(self, bytes=b"")

    def with_bytes(self, data: builtins.bytes) -> "NormalisedPicture":
        """Inverse of `without_bytes`."""
        return replace(self, bytes=data)
