"""Writes the README's table of figures from the results that are kept, so that none is copied.

    python benchmarks/figures.py [--measure [NAME ...]]

Each result in benchmarks/results is the line of JSON of one run of a benchmark. `--measure` first
runs the named benchmarks again, with every seed that is kept, and keeps what they say; without a
name those that take a minute or two. The table stands between two comments in README.md.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from support.measurements import ROOT, choose, measure
from support.readme_table import render_table
from support.results import FOLDER, ResultError, Results

BEGIN = "<!-- figures: written by `make figures`, from benchmarks/results -->"
END = "<!-- figures: end -->"


def replace_table(text: str, table: str) -> str:
    """`text` with `table` in place of what stands between the two comments.

    Raises:
        ResultError: the comments are not there, once each and in order.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in after:
        raise ResultError(f"the text must hold {BEGIN} and then {END}, once each")
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def main(words: Sequence[str] | None = None) -> int:
    """Measures if asked to, writes the table; the exit code is 1 where a result is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--measure",
        nargs="*",
        metavar="NAME",
        help="run these benchmarks first (or the short ones)",
    )
    parser.add_argument("--results", type=Path, default=FOLDER, metavar="DIR", help="of JSON files")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md", metavar="FILE")
    arguments = parser.parse_args(words)
    try:
        for measurement in choose(arguments.measure) if arguments.measure is not None else ():
            print(f"measured {measure(measurement, arguments.results).name}", flush=True)
        table = render_table(Results(arguments.results))
        text = arguments.readme.read_text(encoding="utf-8")
        arguments.readme.write_text(replace_table(text, table), encoding="utf-8")
    except ResultError as error:
        print(f"figures: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
