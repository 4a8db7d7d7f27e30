"""The README's rows about collections, pairs, texts and retrieval, from the results kept."""

from collections.abc import Sequence
from typing import Any

from support.readme_words import Row, listed, percents, seeds_of, shared, whole
from support.results import Results


def pair_quality(results: Results) -> list[Row]:
    """How many pairs are right, for how many sources, and how far things moved."""
    found = results.all("pair_quality")
    one, two, paper = (
        [result.figures[case] for result in found]
        for case in ("one_object", "two_objects", "mean_baseline")
    )
    sources = shared([case["sources"] for case in one])
    random_px = results.one("structure_position").figures["random"]
    pool = shared([result.figures["pool"] for result in found])
    return [
        (
            f"`benchmarks/pair_quality.py --json --seed N`, {seeds_of(found)}; pool of {pool}, "
            f"{sources} sources each",
            "right pairs, one-object sources",
            f"{percents(one, 'right', 1)}, for {_share_of_sources(one)}",
        ),
        (
            "",
            "right pairs, two-object sources",
            f"{percents(two, 'right', 1)}, for {_share_of_sources(two)} "
            f"({percents(two, 'answerable')} have an answer in the pool)",
        ),
        (
            "",
            "mean distance of the object from where it was, right one-object pairs",
            f"{listed([case['position_px'] for case in one], 1)} px (a random picture of the "
            f"caption: {random_px:.0f}, `benchmarks/structure_position.py`)",
        ),
        (
            "",
            "right pairs by the paper's query `mean`, no selection",
            percents(paper, "right", 1),
        ),
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
            f"`benchmarks/identical_bytes.py --seed N`, {seeds_of(found)}; "
            f"{shared([each.figures['sources'] for each in found])} sources, {kills} kills of each "
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


def real_captions(results: Results) -> list[Row]:
    """Sensible edits of captions that nobody here wrote, today's and those before."""
    marks = results.one("real_captions").figures["marks"]
    share = {name: f"{each['sensible'] / each['judged']:.1%}" for name, each in marks.items()}
    return [
        (
            "`benchmarks/real_captions.py`",
            "edits of real captions, judged without knowing by which rewriter: sensible ones of "
            "Flickr8k and COCO; of alt text",
            f"{share['new: flickr8k and coco']}; {share['new: alt text']}; by the rewriter before "
            f"{share['before: flickr8k and coco']}; {share['before: alt text']} "
            "([docs/lexicon.md](docs/lexicon.md))",
        )
    ]


def mined_captions(results: Results) -> list[Row]:
    """Good ones of the pairs that mining finds among captions that nobody here wrote."""
    found = results.one("mined_captions").figures["marks"]["new"]
    return [
        (
            "`benchmarks/mined_captions.py`",
            "pairs mined of the captions of Flickr8k, judged: both captions can be true of "
            "pictures that differ in just that thing",
            f"{found['good'] / found['judged']:.1%} of {found['judged']} "
            "([docs/lexicon.md](docs/lexicon.md#mining))",
        )
    ]


def fetch_peer(results: Results) -> list[Row]:
    """How fast pictures are fetched beside img2dataset."""
    figures = results.one("fetch_peer").figures
    seconds = {
        name: ", ".join(f"{each:.0f}" for each in figures[name]["seconds"])
        for name in ("ours", "peer")
    }
    pictures = {name: sum(figures[name]["had"].values()) for name in ("ours", "peer")}
    return [
        (
            "`benchmarks/fetch_peer.py --peer .venv-interop/bin/python`",
            f"fetch of {figures['links']} links from a misbehaving server beside img2dataset, both "
            f"on their defaults, {figures['at_once']} at once",
            f"{figures['ratio']:.1f} times as fast ({seconds['ours']} against {seconds['peer']} "
            f"s); {pictures['ours']} pictures against {pictures['peer']}, "
            f"{figures['lost']} that only img2dataset has",
        )
    ]


def embed_peer(results: Results) -> list[Row]:
    """How fast pictures are embedded beside clip-retrieval."""
    figures = results.one("embed_peer").figures
    whole_command, pace = figures["pictures_a_second"], figures["pace"]
    return [
        (
            "`benchmarks/embed_peer.py --peer .venv-interop/bin/python`",
            f"index of {figures['pictures']} JPEGs beside `clip-retrieval inference`: ViT-B/32, "
            f"float32, on all cores, {figures['workers']} workers",
            f"{figures['ratio']:.2f} times as many a second by the whole command "
            f"({whole_command['ours']:.1f} against {whole_command['peer']:.1f}), "
            f"{figures['pace_ratio']:.2f} times without its start ({pace['ours']:.1f} against "
            f"{pace['peer']:.1f}); in bfloat16, which that has not, "
            f"{figures['half']['ratio']:.2f} and {figures['half']['pace_ratio']:.2f} times, least "
            f"cosine {figures['half']['least_cosine']:.4f}",
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
            f"recall@10 of inverted lists, {whole(recall['vectors'])} vectors drawn in clusters",
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


def index_scale(results: Results) -> list[Row]:
    """Recall, speed and cost of the search index as the collection grows, beside autofaiss's."""
    sizes = results.one("index_scale").figures["sizes"]
    lines = [_usual_line(size["indexes"]["ours"]) for size in sizes]
    faster = [
        min(size["exact_ms"].values()) / line["query_ms"]
        for size, line in zip(sizes, lines, strict=True)
    ]
    largest = sizes[-1]
    ours, peer = largest["indexes"]["ours"], largest["indexes"]["autofaiss"]
    other = _usual_line(peer)
    return [
        (
            "`benchmarks/index_scale.py --peer .venv-interop/bin/python`",
            "recall@10 of the search index, and its speed over exact search's; "
            f"{', '.join(whole(size['vectors']) for size in sizes)} drawn vectors",
            f"{listed([line['recall']['pictures'] for line in lines], 3)}; "
            f"{listed(faster, 0)} times ([docs/retrieval.md](docs/retrieval.md))",
        ),
        (
            "",
            f"the same of {whole(largest['vectors'])} beside autofaiss on its defaults: recall@10, "
            "time of a query; peak memory and time of building",
            f"{lines[-1]['recall']['pictures']:.3f} against {other['recall']['pictures']:.3f}, "
            f"{lines[-1]['query_ms']:.2f} against {other['query_ms']:.2f} ms of a core; "
            f"{ours['peak_mib']:.0f} against {peer['peak_mib']:.0f} MiB, "
            f"{ours['seconds']:.0f} against {peer['seconds']:.0f} s",
        ),
    ]


def _usual_line(index: dict[str, Any]) -> dict[str, Any]:
    """The line of an index as it is searched where nothing else is asked."""
    line: dict[str, Any] = next(
        line for line in index["lines"] if line["probes"] == index["probes"]
    )
    return line


def _share_of_sources(cases: Sequence[dict[str, Any]]) -> str:
    if all(case["yield"] == 1 for case in cases):
        return "all of the sources"
    return f"{percents(cases, 'yield')} of the sources"
