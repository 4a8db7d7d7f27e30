"""The README's rows about what work costs as it grows, and on cards, from the results kept."""

from support.readme_words import Row, listed, seeds_of, shared, whole
from support.results import Results


def host_work(results: Results) -> list[Row]:
    """The graph beside a plain loop, two workers beside one, and a large build beside a small."""
    figures = results.one("host_work").figures
    small, large = map(whole, figures["sizes"])
    took = {way: found["clock"] for way, found in figures["ms_a_source"].items()}
    return [
        (
            f"`benchmarks/host_work.py`; {small} and {large} sources",
            "build against a plain loop over the same functions, one worker",
            f"{figures['graph_to_plain_loop']:.2f} times the processor's time",
        ),
        (
            "",
            f"two workers against one, {large} sources; {small} sources",
            f"{figures['two_workers_speedup']:.2f}; {figures['two_workers_speedup_smaller']:.2f} "
            f"times faster ({took['one worker, larger']:.1f} and "
            f"{took['two workers, larger']:.1f} ms a source of {large})",
        ),
        (
            "",
            f"processor's time of a source among {large} against {small}",
            f"{figures['growth']:.2f}",
        ),
    ]


def candidate_scoring(results: Results) -> list[Row]:
    """What the stage Retrieve takes of a candidate, and took before."""
    figures = results.one("candidate_scoring").figures
    before = figures["before_ratio"]
    return [
        (
            "`benchmarks/candidate_scoring.py`",
            f"{whole(figures['candidates'])} candidates found and scored in batches, one thread",
            f"{whole(100 * round(figures['candidates_a_second'] / 100))} a second, "
            f"{figures['ratio']:.0f} times as many as one after another"
            + ("" if before is None else f" and {before:.1f} times as many as in 0.2.0"),
        )
    ]


def memory(results: Results) -> list[Row]:
    """Peak memory of a large collection beside a small one."""
    found = results.all("memory")
    figures = [result.figures for result in found]
    small, large = (
        shared([each["sources"][size] for each in figures]) for size in ("small", "large")
    )
    workers = shared([each["workers"] for each in figures])
    known = [each["peak_mib"] for each in figures if each["peak_mib"] is not None]
    against = ", ".join(
        f"{mib['large']['build']:.0f} against {mib['small']['build']:.0f}" for mib in known
    )
    return [
        (
            f"`benchmarks/memory.py --seed N`, {seeds_of(found)}",
            f"peak memory of {large} sources against {small}, "
            + ("one worker" if workers == "1" else f"{workers} workers"),
            f"build {listed([each['ratio']['build'] for each in figures], 2)} ({against} MiB), "
            f"index {listed([each['ratio']['index'] for each in figures], 2)}",
        )
    ]


def growth(results: Results) -> list[Row]:
    """What a source costs as a build grows."""
    result = results.one("growth")
    builds = result.figures["builds"]
    costs = listed([one["processor_ms"] for one in builds], 1)
    sizes = ", ".join(whole(one["sources"]) for one in builds)
    few, *_, many = builds
    return [
        (
            f"`benchmarks/growth.py --workers 1`; {sizes} sources, each out of all pictures",
            "processor's time of a source as a build grows",
            f"{costs} ms on a {result.machine} that did other work at times: "
            f"{many['processor_ms'] / few['processor_ms']:.2f} times as much in the largest as in "
            f"the smallest ([docs/scale.md](docs/scale.md#workers))",
        )
    ]
