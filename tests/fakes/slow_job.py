"""A job that fills a folder file by file, and goes on where it was; for what kills and resumes."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

NUMBERS = range(4)


@dataclass(frozen=True, kw_only=True)
class SlowJob:
    """Writes four files, each in two steps where `hasty`: a kill leaves half of one then."""

    folder: Path
    kind: str = "edit-images"
    workers: int = 1
    hasty: bool = False

    def write(self):
        """Fills the folder, or what is missing of it."""
        self.folder.mkdir(exist_ok=True)
        for number in NUMBERS:
            path = self.folder / f"edited-{number}.json"
            if path.exists():
                continue
            place = path if self.hasty else path.with_name(f".{path.name}.{number:08x}.tmp")
            with place.open("w") as file:
                file.write(f"first half of {number}")
                file.flush()
                time.sleep(0.2)
                file.write(f", second half of {number}")
            place.rename(path)
        for left in self.folder.glob("*.tmp"):
            left.unlink()
        sys.exit(0)
