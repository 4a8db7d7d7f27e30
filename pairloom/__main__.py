"""The command line: `pairloom`, `python -m pairloom`, `accelerate launch -m pairloom train`."""

import sys
from collections.abc import Sequence

from pairloom.own_packages import check_own_packages


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0, or not 0 with one line on stderr.

    Before anything else it is made sure that nothing hides our packages.
    """
    try:
        check_own_packages()
    except ImportError as error:
        return _fail(str(error))
    except OSError:
        return _fail("the folder in which Python was started is gone: start it in another")
    from pipelines.main import main as run_command

    return run_command(argv)


def _fail(line: str) -> int:
    if sys.stderr is not None:  # closed
        print(f"pairloom: error: {line}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
