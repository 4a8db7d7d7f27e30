"""What worker processes need, imported by the server they are forked from (see `running`)."""

from importlib import import_module

from pipelines.terminal.console import silence_libraries

silence_libraries()
for _name in (
    "pipelines.build.graph",
    "pipelines.index.graph",
    "transforms.batches.inference",
    "transformers",
):
    import_module(_name)
