"""Seconds per picture and memory per stage with networks of the published sizes.

    python benchmarks/full_size.py [--pictures N] [--parts blip,clip,...] [--device cuda]
        [--batch-size N] [--seed N] [--json]

Each network is built with random weights, saved in the published layout, loaded through a preset
file and run over photograph-like pictures, in processes of its own, so that memory is its own.
One torch thread. The folders are deleted as soon as they have been measured.
"""

import argparse
import dataclasses
import hashlib
import io
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import support.silent_libraries  # noqa: F401
from PIL import Image, ImageDraw, ImageFilter
from support.devices import describe_device, device_peak_gib, wait_for
from support.full_size_networks import BUILDERS
from support.processes import call_apart, peak_mib
from support.reporting import Target, add_report_flags, at_most, finish

from transforms.record import Batch, Candidate, EditExample, EditQuery, SourceImage

PARTS = {"blip": "captioner", "clip": "encoder", "open_clip": "encoder", "clipseg": "segmenter"}
MOST_MIB = 8 * 1024
STAGES = {"captioner": "caption", "encoder": "embed", "segmenter": "segment"}


@dataclasses.dataclass(frozen=True)
class Measured:
    """What one network cost. Times in seconds, sizes in MiB; memory is the process's peak.

    `per_picture_cpu_s` is processor time: with one thread, the time on an idle machine.
    """

    part: str
    stage: str
    parameters: int
    weights_mib: float
    load_s: float
    per_picture_s: float
    per_picture_cpu_s: float
    peak_mib: float
    loaded_mib: float
    pictures: int
    outputs: list[Any]
    device: str
    device_peak_gib: float | None


def photograph(seed: Sequence[int], size: tuple[int, int] = (640, 480)) -> bytes:
    """A JPEG with what photographs have: soft light, shapes, blur and grain."""
    generator = np.random.default_rng(seed)
    width, height = size
    coarse = generator.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y = int(generator.integers(0, width)), int(generator.integers(0, height))
        radius = int(generator.integers(10, height // 3))
        colour = tuple(int(value) for value in generator.integers(0, 256, 3))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    image = image.filter(ImageFilter.GaussianBlur(2))
    grain = generator.normal(0, 8, (height, width, 3))
    pixels = np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "JPEG", quality=90)
    return encoded.getvalue()


def photographs(count: int, *, seed: int) -> Batch[SourceImage]:
    """A batch of `count` pictures, wide and high ones, drawn by `seed`."""
    records = []
    for number in range(count):
        width, height = (640, 480) if number % 2 == 0 else (375, 500)
        data = photograph((seed, number), (width, height))
        records.append(
            SourceImage(
                key=f"{number:09}",
                shard="0",
                position=number,
                reference=str(number),
                content_sha256=hashlib.sha256(data).hexdigest(),
                width=width,
                height=height,
                image=data,
            )
        )
    return Batch(shard="0", number=0, records=tuple(records))


def pairs(sources: Batch[SourceImage]) -> Batch[EditExample]:
    """A pair of each picture and the next."""
    records = []
    for source in sources.records:
        target = sources.records[(source.position + 1) % len(sources.records)]
        query = EditQuery(
            source=source,
            number=0,
            caption="a dog on a beach",
            edit_prompt="a horse on a beach",
            source_word="dog",
            target_word="horse",
            source_phrase="dog",
            target_phrase="horse",
            relation="co-hyponym",
            part_of_speech="noun",
            source_synset="dog.n.01",
            target_synset="horse.n.01",
        )
        candidate = Candidate(
            row=target.position,
            key=target.key,
            reference=target.reference,
            content_sha256=target.content_sha256,
            caption="a horse on a beach",
        )
        records.append(EditExample(query=query, target=candidate))
    return Batch(shard="0", number=0, records=tuple(records))


def run_caption(model: Any, sources: Batch[SourceImage]) -> list[Any]:
    """Caption and confidence of each picture."""
    from transforms.caption import caption_batch

    out = caption_batch(sources, model)
    assert not out.rejects, out.rejects
    return [[record.caption, record.caption_confidence] for record in out.records]


def run_embed(model: Any, sources: Batch[SourceImage]) -> list[Any]:
    """Length and norm of the embeddings of each query: picture, caption and edit prompt."""
    from transforms.embed import embed_queries_batch

    queries = tuple(example.query for example in pairs(sources).records)
    out = embed_queries_batch(Batch(shard="0", number=0, records=queries), model)
    assert not out.rejects, out.rejects
    vectors = [
        np.frombuffer(embedding, "<f4")
        for query in out.records
        for embedding in (query.source_embedding, query.caption_embedding, query.edit_embedding)
    ]
    return [[len(vector), float(np.linalg.norm(vector))] for vector in vectors]


def run_segment(model: Any, sources: Batch[SourceImage]) -> list[Any]:
    """Width, height and area of both masks of each pair."""
    from transforms.segment import segment_batch

    data = {source.reference: source.image or b"" for source in sources.records}
    out = segment_batch(pairs(sources), model, data.__getitem__)
    assert not out.rejects, out.rejects
    masks = [mask for one in out.records for mask in (one.source_mask, one.target_mask) if mask]
    return [[*Image.open(io.BytesIO(mask.png), formats=("PNG",)).size, mask.area] for mask in masks]


STAGE_CALLS: dict[str, Callable[[Any, Batch[SourceImage]], list[Any]]] = {
    "caption": run_caption,
    "embed": run_embed,
    "segment": run_segment,
}


def build(part: str, folder: Path) -> int:
    """Save the network of `part` in `folder`; the number of its parameters."""
    folder.mkdir()
    return BUILDERS[part](folder)


def write_preset(path: Path, part: str, folder: Path, options: Mapping[str, Any]) -> None:
    """A preset in which `part` plays its role from `folder`, with the options of sd14 and these."""
    from transforms.presets import load_preset

    fields: dict[str, Any] = {
        role: {"loader": role, "location": "/nowhere", "revision": None}
        for role in ("captioner", "encoder", "segmenter")
    }
    published = getattr(load_preset("sd14"), PARTS[part])
    fields[PARTS[part]] = {
        "loader": part,
        "location": str(folder),
        "revision": None,
        "options": {**dict(published.options), **options},
    }
    path.write_text(json.dumps(fields))  # JSON is YAML


def measure(part: str, preset_path: Path, parameters: int, count: int, seed: int) -> Measured:
    """Load the network of `part` through the preset and run its stage over `count` pictures."""
    from transforms.batches.inference import use_one_thread
    from transforms.models import loading
    from transforms.models.files import weight_files
    from transforms.presets import load_preset

    use_one_thread()
    role = PARTS[part]
    stage = STAGES[role]
    spec = getattr(load_preset(str(preset_path)), role)
    begin = time.perf_counter()
    model = getattr(loading, f"load_{role}")(spec)
    load_s = time.perf_counter() - begin
    loaded_mib = peak_mib()
    sources = photographs(count, seed=seed)
    begin, begin_cpu = time.perf_counter(), time.process_time()
    outputs = STAGE_CALLS[stage](model, sources)
    device = dict(spec.options).get("device", "cpu")
    wait_for(device)
    wall_s, cpu_s = time.perf_counter() - begin, time.process_time() - begin_cpu
    return Measured(
        part=part,
        stage=stage,
        parameters=parameters,
        weights_mib=sum(f.stat().st_size for f in weight_files(Path(spec.location))) / 2**20,
        load_s=load_s,
        per_picture_s=wall_s / count,
        per_picture_cpu_s=cpu_s / count,
        peak_mib=peak_mib(),
        loaded_mib=loaded_mib,
        pictures=count,
        outputs=outputs,
        device=describe_device(device),
        device_peak_gib=device_peak_gib(device),
    )


def measure_all(
    parts: list[str], count: int, seed: int, options: Mapping[str, Any]
) -> list[Measured]:
    """Build, measure and delete one network after another."""
    measured = []
    with tempfile.TemporaryDirectory(prefix="pairloom-full-size-") as name:
        for part in parts:
            folder, preset = Path(name) / part, Path(name) / f"{part}.yaml"
            parameters = call_apart(build, part, folder)
            write_preset(preset, part, folder, options)
            measured.append(call_apart(measure, part, preset, parameters, count, seed))
            shutil.rmtree(folder)
    return measured


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """Each network works in a small machine's memory; its time is shown."""
    targets = []
    for one in figures["networks"]:
        name = f"{one['part']}: peak memory, MiB"
        bound = at_most(MOST_MIB, kind="guard")
        targets.append(Target(name=name, value=one["peak_mib"], bound=bound))
        name = f"{one['part']}: processor seconds a picture"
        targets.append(Target(name=name, value=one["per_picture_cpu_s"]))
    return targets


def main() -> None:
    """Measure and print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--pictures", type=int, default=8, help="pictures for each stage; best a multiple of 4"
    )
    parser.add_argument("--parts", default=",".join(PARTS), help="networks, with commas")
    parser.add_argument("--device", default="cpu", help="torch device (default cpu)")
    parser.add_argument("--batch-size", type=int, help="pictures at once (default: the preset's)")
    add_report_flags(parser, seed_help="draws the pictures (default 0)")
    options = parser.parse_args()
    parts = options.parts.split(",")
    if options.pictures < 1 or not set(parts) <= set(PARTS):
        parser.error(f"--pictures must be at least 1, --parts among {','.join(PARTS)}")
    chosen = {"device": options.device, "batch_size": options.batch_size}
    given = {name: value for name, value in chosen.items() if value is not None}
    measured = measure_all(parts, options.pictures, options.seed, given)
    print(f"{'network':<10} {'stage':<8} {'M params':>8} {'file MiB':>8} {'load s':>7} "
          f"{'s/picture':>9} {'CPU s':>6} {'loaded MiB':>10} {'peak MiB':>9}")  # fmt: skip
    for one in measured:
        print(
            f"{one.part:<10} {one.stage:<8} {one.parameters / 1e6:>8.1f} {one.weights_mib:>8.0f} "
            f"{one.load_s:>7.1f} {one.per_picture_s:>9.2f} "
            f"{one.per_picture_cpu_s:>6.2f} {one.loaded_mib:>10.0f} "
            f"{one.peak_mib:>9.0f}"
        )
    figures = {"networks": [dataclasses.asdict(one) for one in measured]}
    finish(options, figures=figures, targets=list_targets(figures))


if __name__ == "__main__":
    main()
