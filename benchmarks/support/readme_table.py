"""The rows of the README's table of what is measured, from the results that are kept."""

from collections.abc import Callable, Sequence
from typing import Any

from support.results import Result, ResultError, Results

Row = tuple[str, str, str]
"""The command, what its figure is, and what was measured; an empty command repeats the last."""


def render_table(results: Results) -> str:
    """The sentence that says where things were measured, and the table under it, in Markdown.

    Raises:
        ResultError: a result is missing, or lacks a figure.
    """
    rows = [row for write in ROWS for row in _write(write, results)]
    machines = {result.machine for name in ("throughput", "memory") for result in results.all(name)}
    return "\n".join(
        [
            "On the still life, whose truth is known; times and memory on a "
            + " and a ".join(sorted(machines))
            + ":",
            "",
            "| command | figure | measured |",
            "|---|---|---|",
            *(
                "| " + " | ".join(row) + " |" if row[0] else f"| | {row[1]} | {row[2]} |"
                for row in rows
            ),
        ]
    )


def _write(write: Callable[[Results], list[Row]], results: Results) -> list[Row]:
    try:
        return write(results)
    except KeyError as error:
        raise ResultError(f"the results for {write.__name__} lack {error}") from error


def pair_quality(results: Results) -> list[Row]:
    """How many pairs are right, for how many sources, and how far things moved."""
    found = results.all("pair_quality")
    one, two, paper = (
        [result.figures[case] for result in found]
        for case in ("one_object", "two_objects", "mean_baseline")
    )
    sources = _same([case["sources"] for case in one])
    random_px = results.one("structure_position").figures["random"]
    pool = _same([result.figures["pool"] for result in found])
    return [
        (
            f"`benchmarks/pair_quality.py --json --seed N`, {_seeds(found)}; pool of {pool}, "
            f"{sources} sources each",
            "right pairs, one-object sources",
            f"{_percents(one, 'right', 1)}, for {_share_of_sources(one)}",
        ),
        (
            "",
            "right pairs, two-object sources",
            f"{_percents(two, 'right', 1)}, for {_share_of_sources(two)} "
            f"({_percents(two, 'answerable')} have an answer in the pool)",
        ),
        (
            "",
            "mean distance of the object from where it was, right one-object pairs",
            f"{_listed([case['position_px'] for case in one], 1)} px (a random picture of the "
            f"caption: {random_px:.0f}, `benchmarks/structure_position.py`)",
        ),
        (
            "",
            "right pairs by the paper's query `mean`, no selection",
            _percents(paper, "right", 1),
        ),
    ]


def throughput(results: Results) -> list[Row]:
    """The graph beside a plain loop, and two workers beside one."""
    found = results.all("throughput")
    figures = [result.figures for result in found]
    against = ", ".join(
        f"{each['seconds']['one worker']:.0f} against {each['seconds']['plain loop']:.0f}"
        for each in figures
    )
    rounds = _same([each["rounds"] for each in figures])
    sources = _same([each["sources"] for each in figures])
    return [
        (
            f"`benchmarks/throughput.py --rounds {rounds} --seed N`, {_seeds(found)}; "
            f"{sources} sources",
            "build against a plain loop over the same functions, one worker",
            f"{_listed([each['graph_to_plain_loop'] for each in figures], 2)} times the time "
            f"({against} s)",
        ),
        (
            "",
            "two workers against one",
            f"{_listed([each['two_workers_speedup'] for each in figures], 2)} times faster "
            f"({_listed([each['seconds']['two workers'] for each in figures], 0)} s)",
        ),
    ]


def memory(results: Results) -> list[Row]:
    """Peak memory of a large collection beside a small one."""
    found = results.all("memory")
    figures = [result.figures for result in found]
    small, large = (
        _same([each["sources"][size] for each in figures]) for size in ("small", "large")
    )
    workers = _same([each["workers"] for each in figures])
    known = [each["peak_mib"] for each in figures if each["peak_mib"] is not None]
    against = ", ".join(
        f"{mib['large']['build']:.0f} against {mib['small']['build']:.0f}" for mib in known
    )
    return [
        (
            f"`benchmarks/memory.py --seed N`, {_seeds(found)}",
            f"peak memory of {large} sources against {small}, "
            + ("one worker" if workers == "1" else f"{workers} workers"),
            f"build {_listed([each['ratio']['build'] for each in figures], 2)} ({against} MiB), "
            f"index {_listed([each['ratio']['index'] for each in figures], 2)}",
        )
    ]


def identical_bytes(results: Results) -> list[Row]:
    """Whether all ways to write the same gave the same bytes."""
    found = results.all("identical_bytes")
    total = {
        name: sum(result.figures["total"][name] for result in found)
        for name in ("compared", "the same", "killed", "killed with some of it done")
    }
    commands = dict.fromkeys(name for result in found for name in result.figures["commands"])
    killed = [one["killed"] for each in found for one in each.figures["counts"].values()]
    kills = " to ".join(str(number) for number in sorted({min(killed), max(killed)}))
    compared = total["compared"]
    same = (
        f"the same in all {compared} comparisons"
        if total["the same"] == compared
        else f"the same in {total['the same']} of {compared} comparisons"
    )
    return [
        (
            f"`benchmarks/identical_bytes.py --seed N`, {_seeds(found)}; "
            f"{_same([each.figures['sources'] for each in found])} sources, {kills} kills of each "
            "command",
            f"bytes of {', '.join(commands)}: after kills at drawn moments; of index and build "
            "also by two workers and in a drawn order of shards",
            f"{same}; {total['killed']} kills, {total['killed with some of it done']} of which "
            "left something to go on from",
        )
    ]


def fetch_hostile(results: Results) -> list[Row]:
    """What hostile servers cost."""
    figures = results.one("fetch_hostile").figures
    late, peak = figures["silence"]["last_good_s"], figures["memory"]["peak_mib"]
    return [
        (
            "`benchmarks/fetch_hostile.py`",
            "64 good links behind 128 to a silent host; memory by bodies of 20 MB",
            f"fetched after {late:.1f} s; {peak:.0f} MiB ([docs/sources.md](docs/sources.md))",
        )
    ]


def small_models(_: Results) -> list[Row]:
    """Where the small models' own figures stand."""
    return [
        (
            "`python -m stilllife.recipes measure`",
            "small models on held-out combinations",
            "[model card](stilllife/weights/README.md)",
        )
    ]


def editor_table(results: Results) -> list[Row]:
    """A masked editor beside SDEdit, at equal error outside the edit."""
    figures = results.one("editor_table").figures
    masked, sdedit = figures["rows"]["ours+M"], figures["rows"]["sdedit"]
    right, low, high = masked["measures"]["both"]
    errors = [row["measures"]["true_background_error"][0] for row in (masked, sdedit)]
    return [
        (
            f"`benchmarks/editor_table.py`, {figures['edits']} held-out edits, "
            f"{len(figures['edit_seeds'])} seeds",
            "edits right in all attributes, masked editor against SDEdit at no more error outside",
            f"{right:.3f} [{low:.3f}, {high:.3f}] against "
            f"{masked['matched']['measures']['both'][0]:.3f}; SDEdit at its best "
            f"{sdedit['measures']['both'][0]:.3f}, with {errors[1] / errors[0]:.1f} times the "
            "error ([docs/editing.md](docs/editing.md))",
        )
    ]


def rewrite_sentences(results: Results) -> list[Row]:
    """How many edits of sentences a person found good."""
    figures = results.one("rewrite_sentences").figures
    judged, both = figures["judged"], figures["both"]
    return [
        (
            "`benchmarks/rewrite_sentences.py`",
            f"edits of {figures['sentences']} caption-like sentences, judged by their author",
            f"{figures['grammatical']} of {judged} grammatical, {both} ({both / judged:.1%}) "
            "sensible as well ([docs/lexicon.md](docs/lexicon.md))",
        )
    ]


def search_and_layout(results: Results) -> list[Row]:
    """Recall of the index, and what structure maps are worth."""
    recall = results.one("index_recall").figures
    by_default = {line["is_default"]: line for line in recall["lines"]}
    by_parameters = {line["parameters"]: line for line in recall["lines"]}
    default, single = by_default[True], by_parameters["nprobe=1"]
    layout = results.one("structure_position").figures
    return [
        (
            "`benchmarks/index_recall.py`",
            f"recall@10 of inverted lists, {_whole(recall['vectors'])} vectors drawn in clusters",
            f"{default['recall']['10']:.3f} by default, {single['recall']['10']:.3f} where one "
            "list is looked into ([docs/retrieval.md](docs/retrieval.md))",
        ),
        (
            "`benchmarks/structure_position.py`",
            "distance of the object in the picture of the caption whose layout is most alike",
            f"{layout['structure']:.1f} px, where the least there is is {layout['nearest']:.1f} "
            f"and the mean {layout['random']:.1f} ([docs/retrieval.md](docs/retrieval.md))",
        ),
    ]


def full_size(results: Results) -> list[Row]:
    """What the published networks cost a picture."""
    result = results.one("full_size")
    seconds, mib = (
        [one[name] for one in result.figures["networks"]]
        for name in ("per_picture_cpu_s", "peak_mib")
    )
    return [
        (
            "`benchmarks/full_size.py`",
            "processor time a picture and memory of each network at full size",
            f"{min(seconds):.1f} to {max(seconds):.1f} s, {min(mib) / 1024:.1f} to "
            f"{max(mib) / 1024:.1f} GiB, on a {result.machine} "
            "([docs/full_size.md](docs/full_size.md))",
        )
    ]


ROWS: Sequence[Callable[[Results], list[Row]]] = (
    pair_quality,
    throughput,
    memory,
    identical_bytes,
    fetch_hostile,
    small_models,
    editor_table,
    rewrite_sentences,
    search_and_layout,
    full_size,
)


def _seeds(found: Sequence[Result]) -> str:
    return "N = " + ", ".join(str(seed) for result in found for seed in result.seeds)


def _listed(values: Sequence[float], digits: int) -> str:
    return ", ".join(f"{value:.{digits}f}" for value in values)


def _percents(cases: Sequence[dict[str, Any]], name: str, digits: int = 0) -> str:
    return _listed([100 * case[name] for case in cases], digits) + "%"


def _share_of_sources(cases: Sequence[dict[str, Any]]) -> str:
    if all(case["yield"] == 1 for case in cases):
        return "all of the sources"
    return f"{_percents(cases, 'yield')} of the sources"


def _same(values: Sequence[int]) -> str:
    """What all runs of a row share, or, where they do not, all of it."""
    return ", ".join(_whole(value) for value in dict.fromkeys(values))


def _whole(value: int) -> str:
    return f"{value:,}".replace(",", " ") if value >= 10_000 else str(value)
