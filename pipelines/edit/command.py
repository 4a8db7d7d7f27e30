"""`pairloom edit PHOTO --prompt WORDS --out FILE`: a picture edited by words."""

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

from editing.regions.registry import NO_REGIONS, REGIONS
from editing.registry import DEFAULT, EDITORS
from indexes.storage.paths import as_path
from pipelines.edit.files import (
    check_outputs,
    draw_box,
    read_mask_file,
    read_photo,
    result_paths,
    write_png,
)
from pipelines.edit.layout_files import (
    AskedLayout,
    add_layout_flags,
    read_layout,
    read_layout_flags,
)
from pipelines.edit.results import print_results, results_as_dicts
from pipelines.sources import open_source
from pipelines.terminal.arguments import JSON_HELP, MOST_SEED, any_path, whole_number
from pipelines.terminal.console import (
    EXIT_USAGE,
    CommandError,
    print_json_line,
    print_note,
    show_progress,
)
from pipelines.terminal.editor_arguments import (
    ChosenEditor,
    add_editing_flags,
    add_editor_flag,
    add_model_flags,
    editing_extra,
    read_editor,
)
from transforms.presets import load_preset

if TYPE_CHECKING:
    from editing.requests import EditOutput, Request

FOUND = "auto"
MOST_RESULTS = 10_000


def add_parser(subparsers: Any) -> None:
    """Adds `edit` to the command line."""
    parser = subparsers.add_parser(
        "edit",
        help="edit a picture by words",
        description="Edit PHOTO so that it shows what --prompt describes. Some editors need no "
        "training; others use what train wrote.",
    )
    parser.add_argument("photo", type=any_path, metavar="PHOTO")
    parser.add_argument("--prompt", required=True, help="what the edited picture shows")
    parser.add_argument("--out", required=True, type=any_path, metavar="FILE", help="a PNG file")
    add_editor_flag(parser, list(EDITORS), DEFAULT)
    add_model_flags(parser)
    _add_mask_flags(parser)
    add_layout_flags(parser)
    _add_result_flags(parser)
    parser.add_argument("--json", action="store_true", help=JSON_HELP)
    add_editing_flags(parser)
    parser.set_defaults(run=run)


def _add_mask_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mask",
        default=None,
        metavar="auto|none|FILE",
        help="what may change: found by --regions, everything, or what is bright, coloured, "
        "labelled or painted in FILE (default: what the editor does)",
    )
    parser.add_argument(
        "--box",
        metavar="LEFT,TOP,RIGHT,BOTTOM",
        help="what may change: a box of PHOTO in pixels, from the first to before the last",
    )
    parser.add_argument(
        "--mask-out",
        type=any_path,
        metavar="FILE",
        help="write the mask that was used, a PNG file of PHOTO's size",
    )
    parser.add_argument(
        "--explain",
        type=any_path,
        metavar="FILE",
        help="draw how the editor came to the result, where it can tell: a PNG file",
    )
    parser.add_argument("--mask-phrase", metavar="WORDS", help="what is looked for as the mask")
    parser.add_argument(
        "--source-prompt",
        metavar="WORDS",
        help="what PHOTO shows; what it has and --prompt has not is looked for (default: PHOTO's "
        "caption by the preset's captioner)",
    )


def _add_result_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--results",
        type=whole_number(1, MOST_RESULTS),
        default=1,
        help="how many; the best comes first, by CLIP's cosine of picture and prompt, or by the "
        "score of the query that found it",
    )
    parser.add_argument("--seed", type=whole_number(0, MOST_SEED), default=0)


def run(arguments: argparse.Namespace) -> int:
    """Edits the picture and writes the results.

    Raises:
        CommandError: a file cannot be read or written, or a flag breaks a rule.
        EditingError, ModelError: in one line each.
    """
    paths = result_paths(arguments.out, arguments.results)
    drawn = None if arguments.mask in (None, FOUND, NO_REGIONS) else as_path(arguments.mask)
    written = {"--mask-out": arguments.mask_out, "--explain": arguments.explain}
    asked = read_layout_flags(arguments)
    read = (arguments.photo, drawn, *(asked.read if asked else ()))
    check_outputs(paths, written, read=read)
    with editing_extra():
        output = edit(arguments, asked)
    if len(output.edits) < len(paths):
        print_note(f"--results: there are only {len(output.edits)}, got {arguments.results}")
        paths = paths[: len(output.edits)]
    for path, result in zip(paths, output.edits, strict=True):
        write_png(path, result.image)
    for remark in output.remarks:
        print_note(remark.detail)
    print_results(paths, output)
    if arguments.mask_out is not None:
        _write_mask(arguments, output)
    if arguments.explain is not None:
        _explain(arguments, output)
    if arguments.json:
        results = results_as_dicts(paths, output)
        remarks = [remark.name for remark in output.remarks]
        print_json_line({"editor": arguments.editor, "results": results, "remarks": remarks})
    return 0


def _write_mask(arguments: argparse.Namespace, output: "EditOutput") -> None:
    if output.edit_mask is None:
        print_note(f"--mask-out: {arguments.editor} used no mask")
        return
    write_png(arguments.mask_out, output.edit_mask)
    print(f"mask: {arguments.mask_out}")


def _explain(arguments: argparse.Namespace, output: "EditOutput") -> None:
    if output.explain is None:
        print_note(f"--explain: {arguments.editor} has nothing to tell of this edit")
        return
    write_png(arguments.explain, output.explain(output.image))
    print(f"explained: {arguments.explain}")


def edit(arguments: argparse.Namespace, asked: AskedLayout | None = None) -> "EditOutput":
    """The results that the flags ask for, in the layout that they ask for.

    Raises:
        CommandError: a file cannot be read, or a flag breaks a rule.
        EditingError, ModelError: in one line each.
    """
    import torch

    from editing.loading import check_needs
    from editing.ranking import edit_several

    chosen = read_editor(
        arguments,
        load_preset(arguments.preset),
        regions=wanted_regions(arguments),
        open_source=open_source,
    )
    check_layout(chosen, asked)
    request = read_request(arguments, chosen, asked)
    looks = chosen.choice.regions or chosen.choice.spec.needs_words
    if arguments.mask_out is not None and not (looks or request.edit_mask or request.layout):
        raise CommandError(f"--mask-out: {chosen.name} used no mask", exit_code=EXIT_USAGE)
    check_needs(chosen.choice.spec, request)
    editor, ranks = chosen.choice.load(), chosen.choice.spec.ranks
    request = dataclasses.replace(request, results=arguments.results if ranks else 1)
    several = arguments.results > 1 and not ranks
    encoder = chosen.choice.parts.encoder if several else None
    generator = torch.Generator().manual_seed(arguments.seed)
    with show_progress("editing", None, unit="steps") as advance:
        if encoder is None:
            outputs = editor.edit([request], chosen.settings, [generator], lambda: advance(1))
            return outputs[0]
        return edit_several(
            editor,
            request,
            chosen.settings,
            generator,
            results=arguments.results,
            encoder=encoder,
            on_step=lambda: advance(1),
        )


def wanted_regions(arguments: argparse.Namespace) -> str | None:
    """The region finder that `--mask` and `--regions` ask for together; None: the editor's own.

    Raises:
        CommandError: they contradict each other.
    """
    regions: str | None = arguments.regions
    if arguments.box is not None:
        for flag, value in (("--mask", arguments.mask), ("--regions", regions)):
            if value not in (None, NO_REGIONS):
                raise CommandError(
                    f"--box leaves nothing to {flag} {value}: leave one of them out",
                    exit_code=EXIT_USAGE,
                )
        return NO_REGIONS
    if arguments.mask is None:
        return regions
    if arguments.mask == FOUND:
        if regions == NO_REGIONS:
            raise CommandError("--mask auto needs --regions, got none", exit_code=EXIT_USAGE)
        return regions or EDITORS[arguments.editor].regions or next(iter(REGIONS))
    if regions not in (None, NO_REGIONS):
        raise CommandError(
            f"--mask {arguments.mask} leaves nothing to --regions {regions}: leave one of them out",
            exit_code=EXIT_USAGE,
        )
    return NO_REGIONS


def check_layout(chosen: ChosenEditor, asked: AskedLayout | None) -> None:
    """Makes sure that there is a layout if and only if the editor needs one.

    Raises:
        CommandError: there is one too few or too many.
    """
    if ("layout" in chosen.choice.spec.needs) == (asked is not None):
        return
    line = f"--editor {chosen.name} needs --segments MAP with --segment COLOUR=PHRASE"
    if asked is not None:
        line = f"--segments and --segment are for editors that follow a layout, not {chosen.name}"
    raise CommandError(line, exit_code=EXIT_USAGE)


def read_request(
    arguments: argparse.Namespace, chosen: ChosenEditor, asked: AskedLayout | None = None
) -> "Request":
    """What is asked of the editor, from the flags and the files that they name.

    Raises:
        CommandError: a file cannot be read, or is no picture.
        EditingError, ModelError: in one line each.
    """
    from editing.requests import Request

    image = read_photo(arguments.photo)
    mask = None
    if arguments.box is not None:
        mask = draw_box(arguments.box, image.size)
    elif arguments.mask not in (None, FOUND, NO_REGIONS):
        mask = read_mask_file(as_path(arguments.mask), image.size)
    words: str | None = arguments.source_prompt
    regions = chosen.choice.regions
    asks = regions.needs_words if regions else chosen.choice.spec.needs_words and mask is None
    looks_for_words = asks and not arguments.mask_phrase
    if words is None and (looks_for_words or "source_prompt" in chosen.choice.spec.needs):
        words = chosen.choice.parts.captioner.caption([image])[0].text
    return Request(
        image=image,
        prompt=arguments.prompt,
        source_prompt=words,
        edit_mask=mask,
        mask_phrase=arguments.mask_phrase,
        layout=None if asked is None else read_layout(asked, image.size),
    )
