"""What card and Croissant file say of a data set that was cleaned: splits, rules and licences."""

from collections.abc import Mapping
from itertools import chain
from typing import Any

from transforms.dataset.clean_schema import CLEAN, split_names, split_of_shard
from transforms.dataset.manifest import Manifest
from transforms.dataset.shards import shard_file
from transforms.filter_rules import SOURCE_FILTERS

STAGES = {
    "filter": "Pairs one of whose pictures breaks a rule",
    "decontaminate": "Pairs with a near-copy of a test picture",
    "deduplicate": "Pairs with a near-copy of a picture that stays",
    "split": "Pairs whose two pictures are in different splits",
    "balance": "Pairs beyond a cap",
}
"""What each stage of cleaning drops."""


def cleanings(configuration: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """How a data set was cleaned, the first time first; empty where it was not."""
    found: list[Mapping[str, Any]] = []
    said = configuration.get(CLEAN)
    while isinstance(said, dict):
        found.append(said)
        said = said.get("before")
    return found[::-1]


SplitFiles = list[dict[str, Any]]
"""The files of a table: of each split its name, and a path with a star or a list of paths."""


def full_splits(manifest: Manifest) -> list[str]:
    """The splits of a data set that have pairs; empty where it has no splits."""
    names = split_names(manifest.configuration)
    pairs = dict.fromkeys(names, 0)
    for shard in manifest.shards:
        name = split_of_shard(shard.number, shard.of, names)
        if name is not None:
            pairs[name] += shard.counts.pairs
    return [name for name in names if pairs[name]]


def split_files(manifest: Manifest, kind: str) -> SplitFiles:
    """The files of a table by split, as the head of a card names them.

    A split without a row is left out: programs that load data sets take it for an error.
    """
    names = split_names(manifest.configuration)
    if not names:
        return [{"split": "train", "path": f"{kind}-*.parquet"}]
    files: dict[str | None, list[str]] = {name: [] for name in names}
    rows = dict.fromkeys(files, 0)
    for shard in manifest.shards:
        name, file = split_of_shard(shard.number, shard.of, names), shard_file(kind, shard.shard)
        files[name].append(file)
        rows[name] += sum(each.rows for each in shard.files if each.name == file)
    full = [name for name in files if rows[name]] or list(names)
    return [{"split": name, "path": files[name]} for name in full]


def allowed_licences(configuration: Mapping[str, Any]) -> list[str]:
    """The only licences that pictures of the data set have; empty where no rule says so."""
    read = [_listed_licences(rules) for _, rules in _source_filters(configuration)]
    # A pair's pictures are of the sources and of the index: each may have what is on its own list.
    allowed = list(dict.fromkeys(chain(*read))) if all(read) else []
    for said in cleanings(configuration):
        names = _listed_licences(said.get("filters"))
        if names:
            allowed = [name for name in names if not allowed or name in allowed]
    return allowed


def _listed_licences(rules: object) -> list[str]:
    """The licences that a rule of `rules` lists as the only ones; none where there is no such."""
    rule = str(rules.get("licence", "")) if isinstance(rules, dict) else ""
    if not rule or rule.startswith(("!", ">", "<")) or rule.endswith("?"):
        return []
    return [name.strip() for name in rule.split(",")]


def _source_filters(configuration: Mapping[str, Any]) -> list[tuple[str, Mapping[str, object]]]:
    """Whose pictures were held to which rules when they were read: the sources', the index's."""
    found: list[tuple[str, Mapping[str, object]]] = []
    for whose, name in (("the sources", "options"), ("the index", "index")):
        said = configuration.get(name)
        rules = said.get(SOURCE_FILTERS) if isinstance(said, dict) else None
        found.append((whose, rules if isinstance(rules, dict) else {}))
    return found


def source_filter_lines(configuration: Mapping[str, Any]) -> list[str]:
    """What a card says of the rules that pictures were held to when they were read."""
    return [
        f"Pictures of {whose} were read only with `{name}`: `{rule}`."
        for whose, rules in _source_filters(configuration)
        for name, rule in sorted(rules.items())
    ]


def licence_words(configuration: Mapping[str, Any]) -> str:
    """One more sentence on licences, with a space before it; empty where there is no allow-list."""
    allowed = allowed_licences(configuration)
    return f" All are of this list: {', '.join(allowed)}." if allowed else ""


def cleaning_text(manifest: Manifest) -> str:
    """The section of a card on how the data set was cleaned; empty where it was not."""
    said = cleanings(manifest.configuration)
    if not said:
        return ""
    lines = ["## Cleaning", ""]
    for each in said:
        lines += [f"- {line}" for line in _rules(each)]
    counts = manifest.counts
    lines += ["", "| pairs | number |", "| --- | --- |"]
    lines.append(f"| before cleaning | {said[0]['pairs_before']} |")
    for stage, meaning in STAGES.items():
        dropped = sum(counts.rejects.get(stage, {}).values())
        if dropped:
            lines.append(f"| dropped in {stage}: {meaning[0].lower()}{meaning[1:]} | {dropped} |")
    lines.append(f"| after | {counts.pairs} |")
    names = split_names(manifest.configuration)
    for name in names:
        number = sum(
            shard.counts.pairs
            for shard in manifest.shards
            if split_of_shard(shard.number, shard.of, names) == name
        )
        lines.append(f"| of these in `{name}` | {number} |")
    return "\n".join([*lines, ""])


def _rules(said: Mapping[str, Any]) -> list[str]:
    """What was asked for, a line each."""
    lines = [f"Filter `{name}`: `{rule}`." for name, rule in (said.get("filters") or {}).items()]
    if said.get("against"):
        lines.append("No picture is a near-copy of one of a test set.")
    if said.get("one_a_group"):
        lines.append("Of each group of near-copies only one picture is there.")
    if said.get("splits"):
        lines.append("No picture, nor a near-copy of one, is in two splits.")
    caps = said.get("caps") or {}
    lines += [f"At most {most} pairs of one {name}." for name, most in caps.items()]
    return lines
