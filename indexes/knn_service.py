"""A search service that runs elsewhere, by the interface of `clip-retrieval back`.

A query is POSTed to `/knn-service` as JSON with the vector under `embedding_input`; the answer is a
list of objects with `id` and `similarity`, and the columns of metadata that the service returns, by
default `url`, `caption`, `image_path` and `NSFW`. Vectors and pictures it does not give.
"""

import http.client
import json
import math
import random
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from indexes.errors import PairloomError
from indexes.search import Vectors

DEFAULT_PORTS = {"http": 80, "https": 443}

_BUSY = frozenset({429, 502, 503, 504})
_MOST_PAUSE_S = 30.0
_SHOWN = 200
_CHUNK_BYTES = 65_536
_PROBED = 8


class KnnServiceError(PairloomError):
    """A service that cannot be asked, or answers what cannot be used; one line with its address."""


class _PassingError(PairloomError):
    """What another attempt may do away with."""


@dataclass(frozen=True)
class Neighbour:
    """One picture that a service proposes: its number there, and what it says of it.

    `similarity` is the inner product with the query. `about` holds the other columns as they came.
    """

    id: int
    similarity: float
    about: Mapping[str, object]

    def text(self, *names: str) -> str | None:
        """The first of the columns `names` that holds more than blanks; None where none does."""
        for name in names:
            value = self.about.get(name)
            if isinstance(value, str) and value.strip():
                return value
        return None

    def number(self, *names: str) -> float | None:
        """The first of the columns `names` that holds a finite number."""
        for name in names:
            value = _finite(self.about.get(name))
            if value is not None:
                return value
        return None


@dataclass(frozen=True)
class KnnService:
    """The service at `url` and its index `name`; None for the only one there.

    An attempt may take `timeout_s` without a byte, and `deadline_s` for its body; a busy service or
    a lost connection is asked again up to `retries` times, after `backoff_s` seconds, then twice
    that, and so on. An answer has at most `most_bytes`. Only http and https are spoken, and
    redirects are not followed.

    Raises:
        KnnServiceError: `url` is no address of a service, or a number is out of its range.

    >>> from indexes.knn_service import KnnService
    >>> KnnService("http://localhost:1234/knn-service").url
    'http://localhost:1234'
    """

    url: str
    name: str | None = None
    timeout_s: float = 30.0
    deadline_s: float = 120.0
    retries: int = 4
    backoff_s: float = 0.5
    most_bytes: int = 64_000_000

    def __post_init__(self) -> None:
        try:
            parts = urllib.parse.urlsplit(self.url.strip())
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise KnnServiceError(
                f"{self.url!r:.200} is no address of a service: {error}"
            ) from error
        if parts.scheme not in DEFAULT_PORTS or not host or parts.query or parts.fragment:
            raise KnnServiceError(
                f"{self.url!r:.200} must be the address of a service, like http://localhost:1234"
            )
        if parts.username is not None or parts.password is not None:
            raise KnnServiceError("the address of a service must hold no password")
        path = parts.path.rstrip("/").removesuffix("/knn-service")
        object.__setattr__(self, "url", f"{parts.scheme}://{parts.netloc}{path}")
        for name in ("timeout_s", "deadline_s", "most_bytes"):
            if not 0 < getattr(self, name) < math.inf:
                raise KnnServiceError(f"{name} must be > 0, got {getattr(self, name)}")
        for name in ("backoff_s", "retries"):
            if not 0 <= getattr(self, name) < math.inf:
                raise KnnServiceError(f"{name} must be >= 0, got {getattr(self, name)}")

    def indices(self) -> list[str]:
        """The names of the service's indices.

        Raises:
            KnnServiceError: it does not answer, or with something else.
        """
        found = self._ask("GET", "/indices-list", None)
        if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
            raise self._wrong("/indices-list must answer a list of names", found)
        return found

    def search(self, query: Vectors, k: int) -> list[Neighbour]:
        """At most `k` neighbours of the vector `query` (d,), best first, each once.

        Raises:
            KnnServiceError: the service does not answer, or what it answers is no such list.
            ValueError: `k` is below 1.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        body = {
            "embedding_input": [float(number) for number in query],
            "modality": "image",
            "num_images": k,
            "num_result_ids": k,
            "indice_name": self.name,
            "deduplicate": False,
            "use_safety_model": False,
            "use_violence_detector": False,
        }
        found = self._ask("POST", "/knn-service", json.dumps(body).encode())
        if not isinstance(found, list):
            raise self._wrong("/knn-service must answer a list", found)
        neighbours: dict[int, Neighbour] = {}
        for each in found[:k]:
            neighbour = self._read(each)
            neighbours.setdefault(neighbour.id, neighbour)
        return sorted(neighbours.values(), key=lambda each: (-each.similarity, each.id))

    def _read(self, entry: object) -> Neighbour:
        if not isinstance(entry, dict):
            raise self._wrong("a neighbour must be an object", entry)
        number, similarity = entry.get("id"), _finite(entry.get("similarity"))
        if type(number) is not int or not 0 <= number < 1 << 63:
            raise self._wrong("a neighbour's id must be a whole number from 0", number)
        if similarity is None:
            got = entry.get("similarity")
            raise self._wrong("a neighbour's similarity must be a finite number", got)
        about = {str(name): value for name, value in entry.items() if name not in _OWN}
        return Neighbour(number, similarity, about)

    def _ask(self, method: str, path: str, body: bytes | None) -> Any:
        """What the service answers, tried again while that may help."""
        for attempt in range(self.retries + 1):
            try:
                return self._ask_once(method, path, body)
            except _PassingError as error:
                if attempt == self.retries:
                    tries = f" ({attempt + 1} attempts)" if attempt else ""
                    raise KnnServiceError(f"{self.url}: {error}{tries}") from error
            # Many workers that were turned away together should not come back together.
            pause_s = min(self.backoff_s * 2**attempt, _MOST_PAUSE_S)
            time.sleep(pause_s * random.uniform(0.5, 1.0))
        raise AssertionError("the last attempt answers or raises")

    def _ask_once(self, method: str, path: str, body: bytes | None) -> Any:
        parts = urllib.parse.urlsplit(self.url)
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        connection = kind(
            parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme], timeout=self.timeout_s
        )
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, parts.path + path, body, headers)
            answer = connection.getresponse()
            with answer:
                data = self._read_body(answer)
        except TimeoutError as error:
            silence = f"nothing came for {self.timeout_s:g} s"
            raise _PassingError(
                silence if error.args == ("timed out",) else _line(error)
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise _PassingError(_line(error)) from error
        finally:
            connection.close()
        if answer.status in _BUSY:
            raise _PassingError(f"{path} answers {answer.status}")
        if answer.status != 200:
            said = data[:_SHOWN].decode(errors="replace")
            raise KnnServiceError(f"{self.url}: {path} answers {answer.status}: {said!r}")
        if len(data) > self.most_bytes:
            raise KnnServiceError(f"{self.url}: {path} answers more than {self.most_bytes} bytes")
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise KnnServiceError(f"{self.url}: {path} answers no JSON: {_line(error)}") from error

    def _read_body(self, answer: http.client.HTTPResponse) -> bytes:
        """The body, as far as it keeps to `most_bytes` (and one more) and comes in time."""
        end_s = time.monotonic() + self.deadline_s
        data = bytearray()
        while len(data) <= self.most_bytes and (chunk := answer.read1(_CHUNK_BYTES)):
            data += chunk
            if time.monotonic() > end_s:
                raise TimeoutError(f"not done within {self.deadline_s:g} s")
        return bytes(data)

    def _wrong(self, rule: str, got: object) -> KnnServiceError:
        return KnnServiceError(f"{self.url}: {rule}, got {got!r:.{_SHOWN}}")


_OWN = frozenset({"id", "similarity"})


def open_service(url: str, name: str | None, *, dimension: int) -> KnnService:
    """The service at `url`, which has the index `name` of vectors of length `dimension`.

    Raises:
        KnnServiceError: it does not answer; it has no such index, or several and no name is given;
            it cannot be searched by such vectors; or its pictures have no links.
    """
    service = KnnService(url, name)
    names = service.indices()
    if name is None and len(names) != 1:
        raise KnnServiceError(
            f"{service.url} has {len(names)} indices, name one of them: {', '.join(names)}"
        )
    if name is not None and name not in names:
        raise KnnServiceError(
            f"{service.url} has no index {name!r}, it has {', '.join(names) or 'none'}"
        )
    service = KnnService(url, names[0] if name is None else name)
    probe = _probe(dimension)
    try:
        found = service.search(probe, _PROBED)
    except KnnServiceError as error:
        raise KnnServiceError(
            f"{error}; its index must have vectors of dimension {dimension}, as the preset's "
            "encoder makes them"
        ) from error
    if not found:
        raise KnnServiceError(f"{service.url}: the index {service.name} is empty")
    if not any(each.text("url", "URL") for each in found):
        raise KnnServiceError(
            f"{service.url} gives no url of its pictures (it gives "
            f"{', '.join(sorted(found[0].about)) or 'nothing'}), and pictures are fetched by it: "
            "start `clip-retrieval back` with url among --columns_to_return"
        )
    return service


def _finite(value: object) -> float | None:
    """`value` if it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _probe(dimension: int) -> Vectors:
    return np.full(dimension, dimension**-0.5, dtype=np.float32)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:_SHOWN] or type(error).__name__
