"""The command line: `pairloom`, `python -m pairloom`, `accelerate launch -m pairloom train`."""

import sys
from collections.abc import Sequence

from pairloom.ending import QuickEnd
from pairloom.own_packages import check_own_packages


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0, or not 0 with one line on stderr.

    Before anything else it is made sure that nothing hides our packages. Without `argv` the process
    is this command's alone and ends with it.
    """
    ending = QuickEnd() if argv is None else None
    try:
        check_own_packages()
    except ImportError as error:
        return _fail(str(error))
    except OSError:
        return _fail("the folder in which Python was started is gone: start it in another")
    from pipelines.main import main as run_command

    try:
        code = run_command(argv)
    except SystemExit as leaving:  # of --help and --version
        code = int(leaving.code or 0)
    if ending is not None:
        ending.code = code
    return code


def _fail(line: str) -> int:
    if sys.stderr is not None:  # closed
        print(f"pairloom: error: {line}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
