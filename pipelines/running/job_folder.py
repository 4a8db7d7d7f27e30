"""The folder of a job over a data set of pairs: whose it is, and whether the job is the same."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from indexes.folder_lock import LOCK_FILE
from indexes.storage.errors import refuse_outage
from pipelines.terminal.console import CommandError, show_progress
from pipelines.terminal.nothing_made import nothing_made
from transforms.dataset.checks import check_folder
from transforms.dataset.files import (
    dump_json,
    hash_file,
    is_temporary_file,
    make_folder,
    remove_file,
    write_bytes,
)
from transforms.dataset.manifest import MANIFEST, load_manifest, software_versions


def require_whole(dataset: Path) -> None:
    """Makes sure that the files of a data set are those of its manifest, and that it has pairs.

    Raises:
        CommandError: they are not, naming the first problem; or why there are no pairs.
    """
    show_shards = partial(show_progress, "verify", unit="shards")
    problems = check_folder(dataset, quick=True, show_progress=show_shards).problems
    if problems:
        raise CommandError(f"{dataset} must be a whole data set: {problems[0]}")
    counts = load_manifest(dataset).counts
    if counts.pairs == 0:
        what = f"pair of {counts.sources} pictures is in the data set"
        raise CommandError(f"{dataset}: {nothing_made(what, counts.rejects, where=dataset)}")


def require_same(dataset: Path, description: Mapping[str, Any]) -> None:
    """Makes sure that a data set is the one that a job was begun with, when the job has ended.

    `description` is the job's, with the hash of the manifest.

    Raises:
        CommandError: it is another one now, or gone.
    """
    try:
        found = hash_file(dataset / MANIFEST)
    except OSError as error:
        refuse_outage(error)
        found = None
    if found != description["dataset"]["manifest_sha256"]:
        raise CommandError(
            f"{dataset} was made anew or removed while it was being read: what was made of it is "
            "not finished, choose another folder for what is made of the new one"
        )


@dataclass(frozen=True, kw_only=True)
class JobFolder:
    """A folder with a record of what fills it.

    `name` is the record's file; `one` and `this` say in errors what is kept here, such as `a run`
    and `this run`.
    """

    folder: Path
    name: str
    one: str
    this: str

    def claim(self, *identities: str) -> bool:
        """Whether the folder holds the job of one of these identities; if not, it is free for it.

        Raises:
            CommandError: it holds another one, or something else.
        """
        path = self.folder / self.name
        if path.is_file():
            if self._identity() not in identities:
                raise CommandError(
                    f"{self.folder} holds {self.one} with other settings or data: give another"
                )
            self._remove_half_written()
            return True
        if self.folder.is_dir() and any(each.name != LOCK_FILE for each in self.folder.iterdir()):
            raise CommandError(f"{self.folder} must be empty or hold {self.this}, and is neither")
        return False

    def _identity(self) -> object:
        """What the record says tells its job from others; None where it is no record."""
        try:
            return json.loads((self.folder / self.name).read_bytes()).get("identity")
        except (ValueError, AttributeError, RecursionError):
            return None

    def _remove_half_written(self) -> None:
        """Removes what writers that were killed have left."""
        for path in self.folder.rglob("*"):
            if is_temporary_file(path.name) and path.is_file():
                remove_file(path)

    def begin(self, description: Mapping[str, Any], identity: str) -> None:
        """Makes the folder this job's, or makes sure that it is.

        Raises:
            CommandError: it holds another one, or something else.
            OutputError: it cannot be written.
        """
        if not self.claim(identity):
            make_folder(self.folder)
            self.record(description, identity)

    def record(self, description: Mapping[str, Any], identity: str) -> None:
        """Writes down what the job is of; the folder is there.

        Raises:
            OutputError: it cannot be written.
        """
        whole = {**description, "identity": identity, "software": software_versions()}
        write_bytes(self.folder / self.name, dump_json(whole))
