"""Keeps libraries' remarks off a benchmark's output, before it imports anything of the project.

Beam remarks on parts that are not installed while it is imported, so `import
support.silent_libraries` stands among the first imports of what brings Beam in, and of what is run
again in processes of its own.
"""

from pipelines.terminal.console import silence_libraries

silence_libraries()
