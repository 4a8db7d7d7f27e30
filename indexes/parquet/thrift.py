"""Thrift's compact protocol, as far as Parquet's headers need it: walked, never built.

Arrow makes objects of everything a header claims. Walking it first, in memory that does not grow,
tells whether that can be afforded. https://github.com/apache/thrift/blob/master/doc/specs/
thrift-compact-protocol.md
"""

from collections.abc import Iterator

STRUCT = 12
LIST = 9
BINARY = 8
_SET = 10
_MAP = 11
NUMBERS = frozenset({4, 5, 6})
_FIXED_BYTES = {3: 1, 7: 8, 13: 16}
_BOOLEANS = frozenset({1, 2})
_MAX_DEPTH = 32


class ThriftError(ValueError):
    """Bytes that are no such structure, or one that breaks off."""


class Compact:
    """A place in the bytes of a structure; `structs` counts those that were passed so far.

    `position` is the number of bytes that were read.
    """

    def __init__(self, data: bytes, *, most_structs: int = 1 << 62) -> None:
        self._data = data
        self._most_structs = most_structs
        self.position = 0
        self.structs = 0

    def fields(self) -> Iterator[tuple[int, int]]:
        """Number and type of each field of a struct; the caller reads or skips its value.

        Raises:
            ThriftError: the struct breaks off, or there are more structs than are let through.
        """
        self.structs += 1
        if self.structs > self._most_structs:
            raise ThriftError(f"more than {self._most_structs} entries")
        number = 0
        while head := self._byte():
            kind = head & 15
            number = number + (head >> 4) if head >> 4 else self.integer()
            yield number, kind

    def integer(self) -> int:
        """A whole number of 16, 32 or 64 bits.

        Raises:
            ThriftError: it breaks off, or has more bits.
        """
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def binary(self) -> bytes:
        """A text or other bytes.

        Raises:
            ThriftError: it breaks off.
        """
        count = self._varint()
        self._advance(count)
        return self._data[self.position - count : self.position]

    def elements(self) -> tuple[int, int]:
        """How many elements a list has, and of which type.

        Raises:
            ThriftError: it has more than there are bytes.
        """
        head = self._byte()
        count = head >> 4
        if count == 15:
            count = self._varint()
        if count > len(self._data) - self.position:
            raise ThriftError(f"a list of {count} elements in fewer bytes")
        return count, head & 15

    def skip(self, kind: int, depth: int = 0) -> None:
        """Passes over the value of a field.

        Raises:
            ThriftError: it breaks off, is of no known type or nested too deeply.
        """
        if kind in _BOOLEANS:
            return
        if kind in NUMBERS:
            self._varint()
        elif kind in _FIXED_BYTES:
            self._advance(_FIXED_BYTES[kind])
        elif kind == BINARY:
            self._advance(self._varint())
        elif depth == _MAX_DEPTH:
            raise ThriftError(f"nested more than {_MAX_DEPTH} deep")
        elif kind == STRUCT:
            for _, inner in self.fields():
                self.skip(inner, depth + 1)
        elif kind in (LIST, _SET):
            count, inner = self.elements()
            for _ in range(count):
                self._skip_element(inner, depth + 1)
        elif kind == _MAP:
            self._skip_map(depth + 1)
        else:
            raise ThriftError(f"no such type: {kind}")

    def _skip_map(self, depth: int) -> None:
        count = self._varint()
        if count > len(self._data) - self.position:
            raise ThriftError(f"a map of {count} entries in fewer bytes")
        kinds = self._byte() if count else 0
        for _ in range(count):
            self._skip_element(kinds >> 4, depth)
            self._skip_element(kinds & 15, depth)

    def _skip_element(self, kind: int, depth: int) -> None:
        if kind in _BOOLEANS:
            self._advance(1)  # in a field a boolean is in its type, in a list it is a byte
        else:
            self.skip(kind, depth)

    def _byte(self) -> int:
        try:
            value = self._data[self.position]
        except IndexError:
            raise ThriftError("it breaks off") from None
        self.position += 1
        return value

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ThriftError("a number of more than 64 bits")

    def _advance(self, count: int) -> None:
        self.position += count
        if self.position > len(self._data):
            raise ThriftError("it breaks off")
