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
        print(f"pairloom: error: {error}", file=sys.stderr)
        return 1
    from pipelines.main import main as run_command

    return run_command(argv)


if __name__ == "__main__":
    sys.exit(main())
