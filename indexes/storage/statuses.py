"""What a store says of a file, as what the system says of a local one."""

import hashlib
import os
import stat
from collections.abc import Mapping
from datetime import datetime
from typing import Any

_TAGS = ("ETag", "etag", "md5Hash", "generation", "checksum", "content_md5", "mtime", "created")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")

Info = Mapping[str, Any]
"""What a store says of a file: `name`, `size`, `type`, and what tells its content from another."""


def content_tag(info: Info) -> str:
    """What tells the content of a file from another under its name, as far as the store says."""
    tag = next((str(info[name]) for name in _TAGS if info.get(name) is not None), "")
    return f"{info.get('size')} {tag}".strip()


def as_stat(info: Info) -> os.stat_result:
    """Kind, size and times; `st_ino` is a number of `content_tag`."""
    folder = info["type"] == "directory"
    mode = (stat.S_IFDIR | 0o755) if folder else (stat.S_IFREG | 0o644)
    inode = int(hashlib.sha256(content_tag(info).encode()).hexdigest()[:15], 16)
    seconds = _seconds(next((info[name] for name in _TIMES if info.get(name) is not None), 0))
    size = 0 if folder else int(info.get("size") or 0)
    plain = (mode, inode, 0, 1, 0, 0, size, *(int(seconds),) * 3)
    names = ("st_atime", "st_mtime", "st_ctime")
    exact = {f"{name}_ns": int(seconds * 1e9) for name in names}
    return os.stat_result(plain, dict.fromkeys(names, seconds) | exact)


def _seconds(moment: object) -> float:
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if isinstance(moment, datetime):
        return moment.timestamp()
    return float(moment) if isinstance(moment, int | float) else 0.0
