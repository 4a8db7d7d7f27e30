"""The README's rows about networks and editors, from the results kept."""

from support.readme_words import Row, listed, percents, seeds_of, shared
from support.results import Results


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


def region_table(results: Results) -> list[Row]:
    """Edits without a mask: all boxes, one box of a trained network, random boxes."""
    found = results.all("region_table")
    rules = [result.figures["rules"]["inpaint, one thing"] for result in found]
    default, once = ([each[name] for each in rules] for name in ("default", "trained network"))
    beside = [result.figures["beside_random"]["default"] for result in found]
    fewer = [each["attention"]["points"]["value"] for each in beside]
    return [
        (
            "`benchmarks/region_table.py --backends inpaint masked-token --seed N`, "
            f"{seeds_of(found)}; {shared([each['tasks'] for each in default])} held-out edits each",
            "edits without a mask right in all attributes: the best of all boxes, and the one box "
            "of a trained network",
            f"{percents(default, 'both', 1)} and {percents(once, 'both', 1)}; random boxes around "
            f"the same points, at no more error outside, {listed(fewer, 1)} points fewer than the "
            "first ([docs/learned_regions.md](docs/learned_regions.md))",
        )
    ]


def diffedit_table(results: Results) -> list[Row]:
    """Edits in masks that the diffusion model finds, beside the same model's other edits."""
    found = results.all("diffedit_table")
    default = [each.figures["rows"]["diffedit"]["0.8"] for each in found]
    errors = ", ".join(f"{each['error']:.3f}" for each in default)
    sdedit, iedit = (
        listed([each.figures["beside"][name]["points"]["value"] for each in found], 1)
        for name in ("diffedit over sdedit", "diffedit over masked iEdit's best")
    )
    return [
        (
            f"`benchmarks/diffedit_table.py --seed N`, {seeds_of(found)}; "
            f"{shared([each.figures['edits'] for each in found])} held-out edits each",
            "edits in a mask that the diffusion model finds itself, right in all attributes",
            f"{percents(default, 'both', 1)}, error outside {errors}; at no more error SDEdit has "
            f"{sdedit} points fewer, masked iEdit {iedit} ([docs/diffedit.md](docs/diffedit.md))",
        )
    ]


def flexit_table(results: Results) -> list[Row]:
    """Edits by optimisation: the default, and the thesis's form beside it."""
    found = results.all("flexit_table")
    rows = [result.figures["rows"] for result in found]
    default, thesis = (
        [next(iter(each[row].values())) for each in rows] for row in ("flexit", "flexit, thesis")
    )
    errors = ", ".join(f"{each['error']:.3f}" for each in default)
    fewer = [each.figures["beside"]["flexit over sdedit"]["points"]["value"] for each in found]
    return [
        (
            f"`benchmarks/flexit_table.py --seed N`, {seeds_of(found)}; "
            f"{shared([each.figures['edits'] for each in found])} held-out edits each",
            "edits by gradients through encoders, right in all attributes",
            f"{percents(default, 'both', 1)}, error outside {errors}; the SDEdit that errs least "
            f"has {listed(fewer, 1)} points fewer; the thesis's form "
            f"{percents(thesis, 'both', 1)}; CLIP is fooled in {percents(default, 'fooled', 1)} "
            f"of the edits, by the thesis's form in {percents(thesis, 'fooled', 1)} "
            "([docs/flexit.md](docs/flexit.md))",
        )
    ]


def zestguide_table(results: Results) -> list[Row]:
    """Pictures painted to drawn maps, by default and by the thesis's settings."""
    found = results.all("zestguide_table")
    rows = [result.figures["rows"] for result in found]
    default = [each["measured (default)"] for each in rows]
    thesis = [each["thesis + paint-with-words, w = 0.3"] for each in rows]
    overlaps, theirs = (listed([each["miou"] for each in some], 3) for some in (default, thesis))
    return [
        (
            f"`benchmarks/zestguide_table.py --seed N`, {seeds_of(found)}; "
            f"{shared([each.figures['maps'] for each in found])} maps each",
            "mIoU of what a segmenter finds in pictures painted to a drawn map, with the map",
            f"{overlaps}, with {percents(default, 'right', 1)} right in all attributes; by the "
            f"thesis's settings with paint-with-words {theirs}, with "
            f"{percents(thesis, 'right', 1)} "
            "([docs/zestguide.md](docs/zestguide.md))",
        )
    ]


def simat_table(results: Results) -> list[Row]:
    """Pictures found by picture and words, and what keeps things in their place."""
    found = results.all("simat_table")
    names = ("one thing", "two things")
    rows = [[result.figures["rows"][name] for result in found] for name in names]
    words, own = (
        " and ".join(listed([each[row]["at_1"] for each in some], 3) for some in rows)
        for row in ("words, best lambda", "own caption, lambda 1")
    )
    text = [result.figures["layout"]["one thing"]["queries"]["text"] for result in found]
    weighed = [each["cosine + w structure"] for each in text]
    before, after = (listed([each[w]["px"] for each in weighed], 1) for w in ("0", "0.1"))
    return [
        (
            f"`benchmarks/simat_table.py --seed N`, {seeds_of(found)}; pools of "
            f"{shared([each.figures['pool'] for each in found])}",
            "SIMAT score of pictures found by a picture and exchanged words, in pictures of one "
            "thing and of two",
            f"{words}; by its own caption {own}; things lie {before} px from where they lay, with "
            f"structure weighed {after} ([docs/simat.md](docs/simat.md))",
        )
    ]


def precision(results: Results) -> list[Row]:
    """What an encoder takes in half precision, and how far its embeddings move."""
    result = results.one("precision")
    figures = result.figures
    (half,) = figures["moved"]
    return [
        (
            "`benchmarks/precision.py`",
            "encoder of CLIP ViT-B/32's size with random weights, pictures at its size, one thread",
            f"{figures['ms_a_picture']['float32']:.0f} ms a picture in float32 and "
            f"{figures['ms_a_picture'][half]:.0f} in {half}, on a {result.machine}; least cosine "
            f"{figures['moved'][half]:.4f} ([docs/scale.md](docs/scale.md))",
        )
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
