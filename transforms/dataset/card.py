"""What tells others what a data set holds: its card for the Hugging Face hub, its Croissant file.

Both are functions of the manifest. The card names the files of each table, so that
`datasets.load_dataset(folder)` finds the pairs as the split `train`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import yaml

from transforms.dataset.clean_card import (
    SplitFiles,
    cleaning_text,
    licence_words,
    source_filter_lines,
    split_files,
)
from transforms.dataset.clean_schema import columns_of, is_clean
from transforms.dataset.manifest import Manifest
from transforms.dataset.schema import (
    IMAGE,
    Column,
    name_at,
)
from transforms.dataset.shards import KINDS

LICENCE_LINE = (
    "Every picture keeps the licence its collection gives it, in the columns `source_licence` and "
    "`target_licence`; null means that the collection names none."
)
DESCRIPTION = (
    "Pairs of pictures for training image editors, made without annotators: a source picture with "
    "its caption, an edit prompt that DESCRIBES the wanted picture (it is not an instruction), a "
    "retrieved real picture that stands in for the result, masks of what changes in both, and "
    "every score of the pair."
)
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "includes": "cr:includes",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "sc": "https://schema.org/",
    "source": "cr:source",
    "transform": "cr:transform",
}
_PARQUET = "application/x-parquet"


def card_text(manifest: Manifest) -> str:
    """The data set card: YAML for the hub, then text for people.

    The first configuration, `default`, holds the pairs alone; rejects and candidates are others.
    """
    clean = is_clean(manifest.configuration)
    files = {"default" if kind == "pairs" else kind: split_files(manifest, kind) for kind in KINDS}
    version = manifest.schema_version
    parts = (
        _card_start(_card_head(manifest, files)),
        _made_from(manifest),
        f"## Counts\n\n{_count_table(manifest)}",
        *filter(None, [cleaning_text(manifest)]),
        "## Columns of the pairs\n\n"
        + _column_table(columns_of("pairs", clean=clean, version=version)),
        "## Columns of the rejects\n\n"
        "One row for each picture or proposed edit that did not become a pair "
        '(`load_dataset(folder, "rejects")`).\n\n'
        + _column_table(columns_of("rejects", clean=clean, version=version)),
        "## Columns of the candidates\n\n"
        "One row for each edit that a target was looked for "
        '(`load_dataset(folder, "candidates")`).\n\n'
        + _column_table(columns_of("candidates", clean=clean, version=version)),
        f"## Licence\n\n{LICENCE_LINE}{licence_words(manifest.configuration)}\n",
    )
    return "\n".join(parts)


def copy_card_text(manifest: Manifest, columns: Iterable[Column], *, files: SplitFiles) -> str:
    """The card of a copy that holds the pairs alone, with `columns`, in `files`."""
    head = _card_head(manifest, {"default": files})
    parts = (
        _card_start(head),
        _made_from(manifest),
        f"## Counts\n\n{_count_table(manifest)}",
        *filter(None, [cleaning_text(manifest)]),
        "## Columns\n\n" + _column_table(columns),
        f"## Licence\n\n{LICENCE_LINE}{licence_words(manifest.configuration)}\n",
    )
    return "\n".join(parts)


def _card_start(head: dict[str, Any]) -> str:
    text = yaml.safe_dump(head, sort_keys=False, allow_unicode=True)
    return f"---\n{text}---\n\n# Image-editing pairs\n\n{DESCRIPTION}\n"


def _card_head(manifest: Manifest, files: Mapping[str, SplitFiles]) -> dict[str, Any]:
    """The YAML of a card; `files` are the files of each configuration, by split."""
    configs = [{"config_name": name, "data_files": found} for name, found in files.items()]
    return {
        "pretty_name": f"Image-editing pairs made by {name_at(manifest.schema_version)}",
        "license": "other",
        "license_name": "per-picture",
        "language": ["en"],
        "task_categories": ["image-to-image", "text-to-image"],
        "tags": ["image-editing", "croissant"],
        "size_categories": [_size_category(manifest.counts.pairs)],
        "configs": configs,
    }


def _size_category(rows: int) -> str:
    names = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")
    lower = None
    for power, name in enumerate(names, start=3):
        if rows < 10**power:
            break
        lower = name
    if lower == names[-1]:
        return f"n>{lower}"
    return f"{lower}<n<{name}" if lower else f"n<{name}"


def _made_from(manifest: Manifest) -> str:
    models = [
        f"- {part}: {', '.join(f'{key} {value}' for key, value in sorted(model.items()))}"
        if isinstance(model, dict)
        else f"- {part}: {model}"
        for part, model in sorted(manifest.models.items())
    ]
    lines = [
        "## How it was made",
        "",
        f"Configuration `{manifest.configuration_hash[:12]}`, seed {manifest.seed}, schema version "
        f"{manifest.schema_version}. `manifest.json` holds the whole configuration, the software "
        "versions and the hash of every file.",
    ]
    if manifest.parent and is_clean(manifest.configuration):
        lines.append(f"Cleaned from configuration `{_parent(manifest)}`.")
    elif manifest.parent:
        lines.append(f"Selected anew from configuration `{_parent(manifest)}`.")
    lines += source_filter_lines(manifest.configuration)
    if models:
        lines += ["", "Models:", "", *models]
    return "\n".join([*lines, ""])


def _parent(manifest: Manifest) -> str:
    return (manifest.parent or {}).get("configuration_hash", "")[:12]


def _count_table(manifest: Manifest) -> str:
    counts = manifest.counts
    rows: list[tuple[str, object]] = [
        ("source pictures", counts.sources),
        ("source pictures with at least one pair", counts.sources_with_pairs),
        ("proposed edits", counts.queries),
        ("pairs", counts.pairs),
    ]
    rows += [
        (f"rejected in {stage}: {reason}", number)
        for stage, reasons in sorted(counts.rejects.items())
        for reason, number in sorted(reasons.items())
    ]
    return _table(("what", "number"), rows)


def _column_table(columns: Iterable[Column]) -> str:
    return _table(
        ("column", "type", "meaning"),
        ((f"`{c.name}`", _type_name(c.type), c.meaning) for c in columns),
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


def _type_name(kind: pa.DataType) -> str:
    if kind == IMAGE:
        return "image"
    return "list of structs" if pa.types.is_list(kind) else str(kind)


def croissant_data(manifest: Manifest) -> dict[str, Any]:
    """The data set as Croissant 1.1: each file with its hash, and the records of the pairs.

    Candidates are listed as files only: their nested lists are best read with their Arrow schema.
    """
    files = [file for shard in manifest.shards for file in shard.files]
    objects = [
        {
            "@type": "cr:FileObject",
            "@id": file.name,
            "name": file.name,
            "contentUrl": file.name,
            "contentSize": f"{file.bytes} B",
            "encodingFormat": _PARQUET,
            "sha256": file.sha256,
        }
        for file in files
    ]
    clean, version = is_clean(manifest.configuration), manifest.schema_version
    tables = [
        (kind, columns_of(kind, clean=clean, version=version)) for kind in ("pairs", "rejects")
    ]
    sets = [
        {
            "@type": "cr:FileSet",
            "@id": f"{kind}-files",
            "name": f"{kind}-files",
            "description": f"All shards of the {kind}.",
            "encodingFormat": _PARQUET,
            "includes": f"{kind}-*.parquet",
        }
        for kind, _ in tables
    ]
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": f"{name_at(manifest.schema_version)}-pairs",
        "description": DESCRIPTION,
        "license": LICENCE_LINE + licence_words(manifest.configuration),
        "version": f"{manifest.schema_version}.0.0",
        "distribution": [*objects, *sets],
        "recordSet": [_record_set(kind, columns) for kind, columns in tables],
    }


def _record_set(kind: str, columns: Iterable[Column]) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": kind,
        "name": kind,
        "description": f"One record for each row of the {kind}.",
        "field": [_field(kind, column) for column in columns],
    }


def _field(kind: str, column: Column) -> dict[str, Any]:
    source: dict[str, Any] = {
        "fileSet": {"@id": f"{kind}-files"},
        "extract": {"column": column.name},
    }
    if column.type == IMAGE:
        source["transform"] = {"jsonPath": "bytes"}
    return {
        "@type": "cr:Field",
        "@id": f"{kind}/{column.name}",
        "name": column.name,
        "description": column.meaning,
        "dataType": _data_type(column.type),
        "source": source,
    }


def _data_type(kind: pa.DataType) -> str:
    if kind == IMAGE:
        return "sc:ImageObject"
    return {pa.string(): "sc:Text", pa.int64(): "sc:Integer", pa.float64(): "sc:Float"}[kind]
