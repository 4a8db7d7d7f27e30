"""An export put on the Hugging Face hub, by `huggingface_hub` and its own token."""

import re
from pathlib import Path

from pipelines.export.job import RECORD
from pipelines.terminal.console import EXIT_USAGE, CommandError

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


def check_name(name: str) -> None:
    """Make sure that `name` is OWNER/NAME.

    Raises:
        CommandError: it is not.
    """
    if not _NAME.fullmatch(name):
        raise CommandError(f"--push must be OWNER/NAME, got {name}", exit_code=EXIT_USAGE)


def push_folder(folder: Path, name: str, *, private: bool, endpoint: str | None = None) -> str:
    """Upload the export in `folder` as the data set `name`, and return its address.

    The data set is made where there is none; files that the hub has already are not sent again.
    The token is that of `hf auth login` or of HF_TOKEN. `endpoint` is the hub's address where it is
    not the usual one, or HF_ENDPOINT's.

    Raises:
        CommandError: the hub refuses, or cannot be reached.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi(endpoint=endpoint, library_name="pairloom")
    try:
        made = api.create_repo(name, repo_type="dataset", private=private, exist_ok=True)
        api.upload_folder(
            repo_id=name,
            repo_type="dataset",
            folder_path=folder,
            ignore_patterns=[".*", "*/.*"],
            commit_message=f"Pairs exported by Pairloom ({RECORD} says of what)",
        )
    except HfHubHTTPError as error:
        said = " ".join((error.server_message or str(error)).split())
        raise CommandError(f"--push {name}: the hub refuses: {said}") from error
    except Exception as error:
        cause = f": {error.__cause__}" if error.__cause__ is not None else ""
        said = " ".join(f"{error}{cause}".split())
        raise CommandError(f"--push {name}: {said}") from error
    return str(made)
