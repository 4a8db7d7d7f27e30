"""Files that are written here first and uploaded when they are whole."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indexes.storage.store_path import StorePath


@contextmanager
def local_draft(path: StorePath) -> Iterator[Path]:
    """Where a local file is to be made that becomes `path` when the block ends without error.

    Nothing stands at `path` before all of it has arrived, and what stood there stays until then.

    Raises:
        StorageError: it cannot be uploaded.
        OSError: there is no room for it here.
    """
    with tempfile.TemporaryDirectory(prefix="pairloom-upload-") as folder:
        draft = Path(folder) / path.name
        yield draft
        path.upload(draft)
