"""How well groups of near-copies are found among still lifes that look much alike.

    python benchmarks/near_duplicates.py [--pictures N] [--copies N] [--workers N] [--seed N]
        [--json]

Of N pictures some are copies of others: of twenty kinds, as many of each, at most two of one
original. All go through the program's own fingerprints, encoder and join on Beam. Printed is, by
family and by kind, which share of the copies is in the group of its original (recall), and which
share of all pairs of pictures that are in one group are copies of one original (precision): of a
family among the originals and its own copies. Still lifes of 64 pixels are the hard case: two of
the same caption differ in little but the place of a thing.
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import support.silent_libraries  # noqa: F401
from PIL import Image
from support.intervals import wilson
from support.picture_copies import FAMILIES, KINDS, MUST_BE_FOUND
from support.reporting import Target, add_report_flags, at_least, finish

from pipelines.cleaning.grouping import OpenFiles
from pipelines.near_copies.joining import Join, group_rows
from pipelines.running.execution import Execution
from stilllife.render import render
from stilllife.scene import draw_scene
from transforms.models.loading import load_encoder
from transforms.near_copies.fingerprint import fingerprint
from transforms.near_copies.rule import NearCopyRule
from transforms.presets import load_preset

AT_ONCE = 64


@dataclass(frozen=True)
class Made:
    """A picture and the number of the original that it is, or is a copy of.

    `kind` is the family and the kind of a copy, None of an original.
    """

    image: Image.Image
    original: int
    kind: tuple[str, str] | None = None


def make_pictures(pictures: int, copies: int, *, seed: int) -> Iterator[Made]:
    """All pictures: the originals, then copies, the kinds taking turns."""
    originals = pictures - copies
    drawn = [Image.fromarray(render(draw_scene(seed, n)).pixels) for n in range(originals)]
    for number, image in enumerate(drawn):
        yield Made(image, number)
    random = np.random.default_rng([seed, 1])
    # Each of half as many originals has two copies, of different kinds.
    chosen = random.permutation(originals)[: (copies + 1) // 2]
    for number in range(copies):
        original = int(chosen[number % len(chosen)])
        family, kind = KINDS[(number + number // len(chosen)) % len(KINDS)]
        copy = FAMILIES[family][kind](drawn[original], random)
        yield Made(copy, original, (family, kind))


def group_pictures(
    made: Sequence[Made], folder: Path, execution: Execution, rule: NearCopyRule
) -> npt.NDArray[np.int64]:
    """The first picture of each one's group, by the program's own stages."""
    encoder = load_encoder(load_preset("stilllife").encoder)
    vectors = [
        encoder.encode_images([each.image for each in made[start : start + AT_ONCE]])
        for start in range(0, len(made), AT_ONCE)
    ]
    embeddings = np.ascontiguousarray(np.concatenate(vectors), np.dtype("<f4"))
    paths = folder / "fingerprints.bin", folder / "embeddings.bin"
    paths[0].write_bytes(b"".join(fingerprint(each.image) for each in made))
    paths[1].write_bytes(embeddings.tobytes())
    join = Join(
        open_signatures=OpenFiles(str(paths[0]), str(paths[1]), embeddings.shape[1]),
        count=len(made),
        folder=str(folder),
        mark="benchmark",
        rule=rule,
    )
    return group_rows(join, execution)


def score(made: Sequence[Made], groups: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Recall by family and kind, and precision by family and of all."""
    place = {each.original: row for row, each in enumerate(made) if each.kind is None}
    found: Counter[tuple[str, str]] = Counter()
    all_of: Counter[tuple[str, str]] = Counter()
    for row, each in enumerate(made):
        if each.kind is not None:
            all_of[each.kind] += 1
            found[each.kind] += int(groups[row] == groups[place[each.original]])
    families: dict[str, Any] = {}
    for family, kinds in FAMILIES.items():
        names = [(family, kind) for kind in kinds]
        right = sum(found[name] for name in names)
        copies = sum(all_of[name] for name in names)
        families[family] = {
            "copies": copies,
            "found": right,
            "recall": right / copies if copies else None,
            "precision": count_right_pairs(made, groups, [family]),
            "kinds": {kind: found[family, kind] / max(1, all_of[family, kind]) for kind in kinds},
        }
    return {
        "families": families,
        "precision": count_right_pairs(made, groups, list(FAMILIES)),
        "groups_of_several": int((np.bincount(groups) > 1).sum()),
    }


def count_right_pairs(
    made: Sequence[Made], groups: npt.NDArray[np.int64], families: Sequence[str]
) -> dict[str, Any]:
    """Of pairs in one group, among originals and copies of `families`, those of one original."""
    members: dict[int, list[int]] = {}
    for row, each in enumerate(made):
        if each.kind is None or each.kind[0] in families:
            members.setdefault(int(groups[row]), []).append(each.original)
    pairs = right = 0
    for originals in members.values():
        pairs += len(originals) * (len(originals) - 1) // 2
        right += sum(n * (n - 1) // 2 for n in Counter(originals).values())
    return {"pairs": pairs, "right": right, "share": right / pairs if pairs else None}


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """What must be found, and what else is."""
    targets = []
    for family in FAMILIES:
        found = figures["families"][family]
        must = family in MUST_BE_FOUND
        bound = at_least(0.97) if must else None
        precision = found["precision"]
        targets += [
            Target(
                name=f"{family}: recall",
                value=found["recall"],
                bound=bound,
                interval=wilson(found["found"], found["copies"]),
            ),
            Target(
                name=f"{family}: precision",
                value=precision["share"],
                bound=bound,
                interval=wilson(precision["right"], precision["pairs"]),
            ),
        ]
    whole = figures["precision"]
    targets.append(
        Target(
            name="all kinds: precision",
            value=whole["share"],
            interval=wilson(whole["right"], whole["pairs"]),
        )
    )
    return targets


def main() -> None:
    """Reads the arguments, makes the pictures, groups and scores them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=5_000)
    parser.add_argument("--copies", type=int, default=2_000)
    parser.add_argument("--workers", type=int, default=1)
    add_report_flags(parser)
    arguments = parser.parse_args()
    made = list(make_pictures(arguments.pictures, arguments.copies, seed=arguments.seed))
    rule = NearCopyRule()
    with tempfile.TemporaryDirectory() as folder:
        execution = Execution(workers=arguments.workers)
        groups = group_pictures(made, Path(folder), execution, rule)
    figures = score(made, groups) | {
        "pictures": len(made),
        "copies": sum(each.kind is not None for each in made),
        "kinds": len(KINDS),
        "rule": vars(rule),
    }
    for family, found in figures["families"].items():
        kinds = ", ".join(f"{kind} {share:.2f}" for kind, share in found["kinds"].items())
        print(f"{family:14}{kinds}")
    finish(arguments, figures=figures, targets=list_targets(figures))


if __name__ == "__main__":
    main()
