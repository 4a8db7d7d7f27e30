"""A finished data set of little drawn scenes, for the tests of the report."""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from fakes.pictures import encoded
from transforms.dataset.files import write_table
from transforms.dataset.folder import prepare_output, write_manifest, write_run_summary
from transforms.dataset.manifest import Manifest
from transforms.dataset.rows import pair_to_row, reject_to_row
from transforms.dataset.schema import CANDIDATES, PAIRS, REJECTS
from transforms.dataset.shards import Counts, OutputShard, ShardReceipt, shard_file
from transforms.record import (
    Candidate,
    EditExample,
    EditQuery,
    Mask,
    Reject,
    Scores,
    SourceImage,
    reject_query,
    reject_source,
)

COLOURS = {
    "red": (196, 48, 44),
    "blue": (52, 92, 190),
    "green": (74, 140, 60),
    "pink": (232, 140, 170),
}
NOUNS = ("apple", "pear", "bowl", "stool")
THRESHOLDS = {
    "require_new_word": True,
    "forbid_old_word": True,
    "rest": 0.8,
    "word_order": 0.8,
    "source_confidence": None,
    "target_confidence": 0.5,
    "text_image_source": None,
    "text_image_target": None,
    "directional": 0.15,
    "structure": None,
    "image_image": 0.97,
    "order": "quality",
}
CONFIGURATION = {
    "preset": {"name": "stilllife"},
    "seed": 7,
    "query": "text",
    "thresholds": THRESHOLDS,
    "index": {"encoder": "small", "k": 32},
}
STILL_LIFE = {"kind": "still-life", "count": 400, "seed": 7, "shard_size": 100}
FOLDER = {"kind": "folder", "path": "/pictures/holiday", "shard_size": 100}


def draw_scene(noun: str, colour: str, seed: int, side: int = 64) -> tuple[bytes, bytes, float]:
    """PNG of a scene, PNG of the object's mask, and the marked share."""
    random = np.random.default_rng(seed)
    scale = side / 64
    background = Image.new("RGB", (side, side), tuple(int(v) for v in random.integers(196, 236, 3)))
    mask = Image.new("L", (side, side))
    x, y = (float(v) for v in random.uniform(20, 44, 2))
    reach = float(random.uniform(11, 17))
    for image, fill in ((background, COLOURS[colour]), (mask, 255)):
        draw = ImageDraw.Draw(image)
        if image is background:
            draw.rectangle([0, (y + reach) * scale, side, side], fill=(170, 150, 124))
        draw_object(draw, noun, [v * scale for v in (x, y, reach)], fill)
    pixels = np.asarray(background, np.float32)
    pixels = pixels + random.normal(0, 5, (side, side, 1))
    background = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    return encoded(background), encoded(mask), float((np.asarray(mask) > 0).mean())


def draw_object(draw: ImageDraw.ImageDraw, noun: str, where: list[float], fill: object) -> None:
    x, y, r = where
    if noun == "apple":
        draw.ellipse([x - r, y - r, x + r, y + r], fill=fill)
    elif noun == "pear":
        draw.ellipse([x - r * 0.9, y - r * 0.4, x + r * 0.9, y + r], fill=fill)
        draw.ellipse([x - r * 0.5, y - r, x + r * 0.5, y + r * 0.4], fill=fill)
    elif noun == "bowl":
        draw.pieslice([x - r, y - 2 * r, x + r, y + r], 0, 180, fill=fill)
    else:
        draw.rectangle([x - r, y - r * 0.4, x + r, y], fill=fill)
        for dx in (-r * 0.8, r * 0.8):
            draw.line([x + dx, y, x + dx, y + r], fill=fill, width=max(2, int(r / 5)))


def make_source(position: int, shard: str, data: bytes, caption: str) -> SourceImage:
    return SourceImage(
        key=f"{shard}-{position:06d}",
        shard=shard,
        position=position,
        reference=f"ref-{position}",
        content_sha256=hashlib.sha256(data).hexdigest(),
        width=64,
        height=64,
        caption=caption,
        caption_confidence=0.98,
    )


def make_scores(random: np.random.Generator, accepted: bool) -> Scores:
    shift = 0.0 if accepted else -0.14
    directional = float(random.uniform(0.15, 0.75) + shift)
    return Scores(
        retrieval=float(random.uniform(0.7, 0.95)),
        rank=int(random.integers(0, 24)),
        margin=float(random.exponential(0.02)),
        text_image_source=float(random.normal(0.31, 0.02)),
        text_image_target=float(random.normal(0.30 + shift / 4, 0.02)),
        directional=directional,
        image_image=float(random.uniform(0.6, 0.96)),
        structure=float(random.beta(5, 2)),
        new_word=1.0,
        old_word=0.0,
        rest=1.0 if accepted else float(random.choice([0.5, 0.75, 1.0])),
        source_confidence=float(random.uniform(0.9, 1)),
        target_confidence=float(random.uniform(0.6, 1)),
    )


def make_example(position: int, shard: str, side: int) -> tuple[EditExample, bytes, bytes]:
    """A pair and its two pictures; every fifth changes the colour, every eleventh has no mask."""
    random = np.random.default_rng([position, 1])
    noun, other = (str(n) for n in random.choice(NOUNS, 2, replace=False))
    colour, second = (str(c) for c in random.choice(list(COLOURS), 2, replace=False))
    adjective = position % 5 == 0
    goal = (noun, second) if adjective else (other, colour)
    caption, prompt = (f"a {c} {n} on a plain table" for n, c in ((noun, colour), goal))
    data, mask, area = draw_scene(noun, colour, position * 2, side)
    target, target_mask, target_area = draw_scene(*goal, position * 2 + 1, side)
    words = (colour, second) if adjective else (noun, other)
    query = EditQuery(
        source=make_source(position, shard, data, caption),
        number=0,
        caption=caption,
        edit_prompt=prompt,
        source_word=words[0],
        target_word=words[1],
        source_phrase=f"{colour} {noun}" if adjective else noun,
        target_phrase=f"{second} {noun}" if adjective else other,
        relation="antonym" if position % 15 == 0 else "co-hyponym",
        part_of_speech="adjective" if adjective else "noun",
        source_synset="a.n.01",
        target_synset="b.n.01",
        method="mine" if position % 7 == 0 else "search",
    )
    candidate = Candidate(
        row=position,
        key=f"pool-{position:06d}",
        reference=f"pool-{position}",
        content_sha256=hashlib.sha256(target).hexdigest(),
        caption=prompt if position % 4 else f"one {goal[1]} {goal[0]} on a plain table",
        scores=make_scores(random, accepted=True),
    )
    empty = encoded(Image.new("L", (side, side)))
    source_mask = Mask(png=mask, area=area, confidence=0.9)
    if position % 11 == 3:
        source_mask = Mask(png=empty, area=0.0, confidence=0.0)
    pair = EditExample(
        query=query,
        target=candidate,
        source_mask=source_mask,
        target_mask=Mask(png=target_mask, area=target_area, confidence=0.85),
    )
    return pair, data, target


def make_reject(position: int, shard: str) -> Reject:
    """A reject of a whole picture for some positions, of an edit for the others."""
    random = np.random.default_rng([position, 2])
    caption = "a red apple on a plain table"
    source = make_source(position, shard, b"", caption)
    kind = position % 6
    if kind == 0:
        return reject_source(
            source, stage="read", reason="not_an_image", detail="cannot identify image file"
        )
    if kind == 1:
        return reject_source(
            source, stage="rewrite", reason="nothing_to_change", detail="no noun has a substitute"
        )
    example, _, _ = make_example(position, shard, 64)
    candidate = Candidate(
        row=1,
        key="pool-x",
        reference="pool-1",
        content_sha256="0",
        caption="a red pear",
        scores=make_scores(random, accepted=False),
    )
    value = candidate.scores.directional or 0.0
    reason, detail = {
        2: ("directional_too_low", f"directional must be at least 0.15, got {value:.3f}"),
        3: ("rest_differs", "rest must be at least 0.8, got 0.667"),
        4: ("no_candidate", "the index offered no candidate"),
        5: ("directional_too_low", f"directional must be at least 0.15, got {value:.3f}"),
    }[kind]
    best = None if reason == "no_candidate" else candidate
    return reject_query(example.query, stage="select", reason=reason, detail=detail, candidate=best)


def write_dataset(
    folder: Path,
    *,
    pairs: int = 30,
    rejects: int = 18,
    shards: int = 2,
    source: dict[str, object] | None = None,
    side: int = 64,
    change: object = None,
) -> Path:
    """A finished data set in `folder`; `change(row)` may alter each row of the pairs."""
    manifest = Manifest(
        configuration=CONFIGURATION,
        source=source or STILL_LIFE,
        pool=source or STILL_LIFE,
        seed=7,
        models={
            "captioner": {"id": "package:stilllife/weights/blip", "revision": "1"},
            "encoder": "open_clip pairloom:encoder sha256=0123456789abcdef",
        },
        software={"python": "3.11", "torch": "2.9"},
        shards=(),
    )
    prepare_output(folder, manifest.configuration_hash)
    receipts = [
        write_shard(
            folder, OutputShard(n, shards, f"s{n}"), manifest, (pairs, rejects, side, change)
        )
        for n in range(shards)
    ]
    fields = {"configuration", "source", "pool", "seed", "models", "software"}
    parts = {name: getattr(manifest, name) for name in fields}
    write_manifest(folder, Manifest(**parts, shards=tuple(receipts)))
    seconds = {"read": 1.5, "caption": 62.0, "rewrite": 0.8, "embed": 20.25, "segment": 31.0}
    write_run_summary(folder, {"seconds": seconds, "workers": 2})
    return folder


def write_shard(
    folder: Path, shard: OutputShard, manifest: Manifest, what: tuple[int, int, int, object]
) -> ShardReceipt:
    pairs, rejects, side, change = what
    rows = []
    for position in range(shard.number, pairs, shard.of):
        example, data, target = make_example(position, shard.name, side)
        row = pair_to_row(example, input_image=data, edited_image=target)
        rows.append(change(row) if callable(change) else row)
    lost = [
        make_reject(position, shard.name)
        for position in range(pairs + shard.number, pairs + rejects, shard.of)
    ]
    tables = (
        ("pairs", PAIRS, rows),
        ("rejects", REJECTS, [reject_to_row(reject) for reject in lost]),
        ("candidates", CANDIDATES, []),
    )
    files = tuple(
        write_table(folder / shard_file(kind, shard), schema, table)
        for kind, schema, table in tables
    )
    by_reason: dict[str, dict[str, int]] = {}
    for reject in lost:
        reasons = by_reason.setdefault(reject.stage, {})
        reasons[reject.reason] = reasons.get(reject.reason, 0) + 1
    edits = sum(reject.number is not None for reject in lost)
    counts = Counts(
        sources=len(rows) + len(lost),
        sources_with_pairs=len(rows),
        sources_without_pairs=len(lost),
        queries=len(rows) + edits,
        pairs=len(rows),
        source_rejects=len(lost) - edits,
        query_rejects=edits,
        rejects=by_reason,
    )
    return ShardReceipt(
        number=shard.number,
        of=shard.of,
        name=shard.name,
        configuration_hash=manifest.configuration_hash,
        counts=counts,
        files=files,
    )
