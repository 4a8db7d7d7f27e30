"""What worker processes need, imported by the server they are forked from (see `running`).

It takes seconds, after which the server looks whether anybody still wants workers. Meanwhile a
thread does so, that a command which ended at once, on a wrong flag for one, leaves nothing behind
that holds its output open; it ends before a worker is forked, which should have no threads.
"""

import os
import threading
from importlib import import_module

from pipelines.terminal.console import silence_libraries

_SECONDS_BETWEEN_LOOKS = 0.1


def end_with_parent_until(done: threading.Event) -> None:
    """Ends this process as soon as the one that started it is gone, until `done` is set."""
    parent = os.getppid()
    while not done.wait(_SECONDS_BETWEEN_LOOKS):
        if os.getppid() != parent:
            os._exit(0)


_imported = threading.Event()
_watch = threading.Thread(target=end_with_parent_until, args=(_imported,), daemon=True)
_watch.start()
silence_libraries()
for _name in (
    "pipelines.build.graph",
    "pipelines.index.graph",
    "transforms.batches.inference",
    "transformers",
):
    import_module(_name)
_imported.set()
_watch.join()
