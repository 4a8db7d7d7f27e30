"""The tiny preset: very small random networks, and the file that names them."""

from pathlib import Path

from fakes.model_folders import save_blip, save_clip, save_clipseg

PARTS = """
captioner: {loader: blip, location: ./blip, revision: null}
encoder: {loader: clip, location: ./clip, revision: null}
segmenter: {loader: clipseg, location: ./clipseg, revision: null}
"""


def save_preset_file(folder: Path, *, name: str = "tiny", more_parts: str = "") -> Path:
    """The networks of the pipeline in `folder`, and the preset `NAME.yaml` beside them."""
    for network, save in (("blip", save_blip), ("clip", save_clip), ("clipseg", save_clipseg)):
        place = folder / network
        place.mkdir(parents=True)
        save(place)
    path = folder / f"{name}.yaml"
    path.write_text(PARTS + more_parts, encoding="utf-8")
    return path
