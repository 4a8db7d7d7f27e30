"""What lies in a folder, as values that a test compares."""

import hashlib
from pathlib import Path

import pyarrow.parquet as pq


def contents(folder: Path | str) -> dict[str, bytes]:
    """Every file below `folder` with its bytes, by its path there."""
    folder = Path(folder)
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def hashes(
    folder: Path | str, *, leave_out: tuple[str, ...] = ("run_summary.json",)
) -> dict[str, str]:
    """SHA-256 of every file below `folder` whose name is not in `leave_out`."""
    return {
        path: hashlib.sha256(data).hexdigest()
        for path, data in contents(folder).items()
        if Path(path).name not in leave_out
    }


def rows_of(
    folder: Path | str, kind: str, columns: list[str] | None = None
) -> list[dict[str, object]]:
    """The rows of the shards `KIND-*.parquet` of a data set, in order."""
    paths = sorted(Path(folder).glob(f"{kind}-*.parquet"))
    return [row for path in paths for row in pq.read_table(path, columns=columns).to_pylist()]


def looks_finished(folder: Path | str) -> bool:
    """Whether a data set or an index says that it is whole."""
    return (Path(folder) / "COMPLETED").exists()
