"""What worker processes need, imported by the server they are forked from (see `running`).

It takes seconds, and only then does the server look whether anybody still wants workers. A command
that has ended by then, on a wrong flag for one, should leave nothing that holds its output open.
"""

from importlib import import_module

from pipelines.running.parent import ending_with_parent
from pipelines.terminal.console import silence_libraries

with ending_with_parent():
    silence_libraries()
    for _name in (
        "pipelines.build.graph",
        "pipelines.index.graph",
        "transforms.batches.inference",
        "transformers",
    ):
        import_module(_name)
