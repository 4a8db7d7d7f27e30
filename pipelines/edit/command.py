"""`pairloom edit PHOTO --prompt WORDS --out FILE`: a picture edited by words."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from editing.choices import MASKED, METHODS
from pipelines.terminal.arguments import JSON_HELP, whole_number
from pipelines.terminal.console import (
    EXIT_USAGE,
    CommandError,
    print_json_line,
    print_table,
    show_progress,
)
from pipelines.terminal.editor_arguments import (
    add_mask_flags,
    add_sampling_flags,
    add_strength_flag,
    editing_extra,
    read_mask_use,
    read_model,
    read_sampling,
)
from transforms.presets import Preset, load_preset

if TYPE_CHECKING:
    from PIL import Image

    from editing.requests import EditOutput

FOUND, NONE = "auto", "none"


def add_parser(subparsers: Any) -> None:
    """Adds `edit` to the command line."""
    parser = subparsers.add_parser(
        "edit",
        help="edit a picture by words",
        description="Edit PHOTO so that it shows what --prompt describes. sdedit and copy need no "
        "training; iedit and iedit-m use the editor that train wrote.",
    )
    parser.add_argument("photo", type=Path, metavar="PHOTO")
    parser.add_argument("--prompt", required=True, help="what the edited picture shows")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="a PNG file")
    parser.add_argument("--method", choices=METHODS, default="iedit-m")
    parser.add_argument(
        "--model",
        type=Path,
        metavar="DIR",
        help="a run of train, or a diffusers pipeline (default: the preset's diffusion model)",
    )
    parser.add_argument("--preset", default="stilllife", help="networks to use (default stilllife)")
    _add_mask_flags(parser)
    add_strength_flag(parser)
    add_sampling_flags(parser)
    _add_result_flags(parser)
    parser.add_argument("--json", action="store_true", help=JSON_HELP)
    parser.set_defaults(run=run)


def _add_mask_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mask",
        default=None,
        metavar="auto|none|FILE",
        help="what may change: found by the segmenter, everything, or what is bright in FILE "
        "(default: what the method does)",
    )
    parser.add_argument(
        "--mask-out",
        type=Path,
        metavar="FILE",
        help="write the mask that was used, a PNG file of the size that is worked at",
    )
    parser.add_argument("--mask-phrase", metavar="WORDS", help="what the segmenter looks for")
    parser.add_argument(
        "--source-prompt",
        metavar="WORDS",
        help="what PHOTO shows; what it has and --prompt has not is looked for (default: PHOTO's "
        "caption by the preset's captioner)",
    )
    add_mask_flags(parser)


def _add_result_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--results",
        type=whole_number(1),
        default=1,
        help="how many; the best comes first, by CLIP's cosine of picture and prompt",
    )
    parser.add_argument("--seed", type=whole_number(0), default=0)


def run(arguments: argparse.Namespace) -> int:
    """Edits the picture and writes the results.

    Raises:
        CommandError: a file cannot be read or written, or a flag breaks a rule.
        EditingError, ModelError: in one line each.
    """
    for flag, path in (("--out", arguments.out), ("--mask-out", arguments.mask_out)):
        if path is not None and path.suffix.lower() != ".png":
            raise CommandError(f"{flag} must be a .png file, got {path}", exit_code=EXIT_USAGE)
    with editing_extra():
        output = edit(arguments)
    paths = write_results(arguments.out, output)
    if arguments.results > 1:
        scores = [(str(path), each.score) for path, each in zip(paths, output.edits, strict=True)]
        print_table("results, best first", scores, columns=("file", "cosine with the prompt"))
    else:
        print(f"edited: {paths[0]}")
    if output.edit_mask is not None and arguments.mask_out is not None:
        write_png(arguments.mask_out, output.edit_mask)
        print(f"mask: {arguments.mask_out}")
    if arguments.json:
        results = [
            {"file": str(path), "score": edit.score}
            for path, edit in zip(paths, output.edits, strict=True)
        ]
        print_json_line({"method": arguments.method, "results": results})
    return 0


def edit(arguments: argparse.Namespace) -> "EditOutput":
    """The results that the flags ask for."""
    import torch

    from editing.diffusion.model import load_diffusion
    from editing.editors.sdedit.editor import Editor
    from editing.requests import Request
    from transforms.models.loading import load_encoder, load_segmenter

    sampling = read_sampling(arguments, strength=arguments.strength)
    masks = read_mask_use(arguments)
    preset = load_preset(arguments.preset)
    image, mask = read_photo(arguments.photo), read_mask(arguments.mask)
    looks = arguments.mask == FOUND or (arguments.mask is None and arguments.method in MASKED)
    masked = arguments.method != "copy" and (looks or mask is not None)
    if arguments.mask_out is not None and not masked:
        raise CommandError(f"--mask-out: {arguments.method} used no mask", exit_code=EXIT_USAGE)
    request = Request(
        image=image,
        prompt=arguments.prompt,
        source_prompt=source_prompt(arguments, preset, image) if looks else None,
        edit_mask=mask,
        mask_phrase=arguments.mask_phrase,
    )
    spec = read_model(arguments, preset)
    editor = Editor(
        load_diffusion(spec) if spec else None,
        method=_mechanics(arguments, looks=looks),
        segmenter=load_segmenter(preset.segmenter) if looks else None,
        encoder=load_encoder(preset.encoder) if arguments.results > 1 else None,
        masks=masks,
    )
    generator = torch.Generator().manual_seed(arguments.seed)
    with show_progress("editing", None, unit="steps") as advance:
        outputs = editor.edit(
            [request],
            sampling,
            results=arguments.results,
            generator=generator,
            on_step=lambda: advance(1),
        )
    return outputs[0]


def _mechanics(arguments: argparse.Namespace, *, looks: bool) -> str:
    """The method as the editor names it: with a mask to be found, or without one of its own."""
    if looks:
        return "iedit-m"
    return "sdedit" if arguments.method in MASKED else str(arguments.method)


def read_photo(path: Path) -> "Image.Image":
    """The picture in a file, upright and RGB.

    Raises:
        CommandError: it cannot be read, or is no picture.
    """
    from transforms.pictures.decoding import PictureError, decode

    try:
        return decode(path.read_bytes())
    except PictureError as error:
        raise CommandError(f"{path}: {error}") from error


def read_mask(value: str | None) -> "Image.Image | None":
    """The mask that `--mask` names, if it names a file.

    Raises:
        CommandError: it cannot be read, or is no picture.
    """
    if value in (None, FOUND, NONE):
        return None
    return read_photo(Path(str(value))).convert("L")


def source_prompt(
    arguments: argparse.Namespace, preset: Preset, image: "Image.Image"
) -> str | None:
    """What the photo shows, where a mask has to be found by it."""
    if arguments.source_prompt is not None or arguments.mask_phrase is not None:
        return str(arguments.source_prompt) if arguments.source_prompt is not None else None
    from transforms.models.loading import load_captioner

    return load_captioner(preset.captioner).caption([image])[0].text


def write_results(out: Path, output: "EditOutput") -> Sequence[Path]:
    """Writes the results: one as `out`, several with their rank before the suffix.

    Raises:
        OutputError: one cannot be written.
    """
    several = len(output.edits) > 1
    paths = [
        out.with_stem(f"{out.stem}-{rank}") if several else out
        for rank in range(1, len(output.edits) + 1)
    ]
    for path, each in zip(paths, output.edits, strict=True):
        write_png(path, each.image)
    return paths


def write_png(path: Path, image: "Image.Image") -> None:
    """Writes a picture, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    from transforms.dataset.files import write_bytes
    from transforms.pictures.decoding import encode_png

    write_bytes(path, encode_png(image))
