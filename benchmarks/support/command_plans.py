"""The commands that are killed and resumed besides `index` and `build`, on small inputs."""

from collections.abc import Callable
from pathlib import Path

from support.job_process import CommandPlan
from support.picture_server import LOCAL, write_links

LINKS, LINKS_A_SHARD = 480, 24

_EDITING = ("--editor", "sdedit", "--steps", "3")


def fetch_plan(work: Path, *, address: str, preset: str, seed: int) -> CommandPlan:
    """Links to a server on this machine, in twenty shards; the address is let through."""
    del preset, seed
    links = write_links(work / "links.parquet", address, count=LINKS)
    flags = ("--shard-size", str(LINKS_A_SHARD), "--allow-address", LOCAL, "--in-flight", "4")
    return CommandPlan(kind="fetch", words=(str(links), *flags), folder=work / "fetched")


def rethreshold_plan(work: Path, *, address: str, preset: str, seed: int) -> CommandPlan:
    """The pairs again, with a stricter threshold and a looser one, so that some are new."""
    del address, preset, seed
    words = (str(work / "pairs"), "--threshold", "structure=0.3", "rest=0.5")
    return CommandPlan(kind="rethreshold", words=words, folder=work / "selected")


def train_plan(work: Path, *, address: str, preset: str, seed: int) -> CommandPlan:
    """Some steps on the pairs, with a checkpoint every second one."""
    del address
    often = ("--checkpoint-every", "2", "--sample-every", "6", "--gradients-every", "3")
    words = ("--steps", "12", "--batch-size", "2", "--align", "--seed", str(seed), *often)
    return CommandPlan(
        kind="train", words=(str(work / "pairs"), "--preset", preset, *words), folder=work / "run"
    )


def evaluate_plan(work: Path, *, address: str, preset: str, seed: int) -> CommandPlan:
    """Two editors, two turns of a dial, two seeds."""
    del address
    sampling = ("--steps", "3", "--strengths", "0.4", "0.8")
    words = ("--editors", "copy", "sdedit", "--edits", "4", "--seeds", str(seed), str(seed + 1))
    return CommandPlan(
        kind="evaluate",
        words=(str(work / "pairs"), "--preset", preset, *words, *sampling),
        folder=work / "evaluation",
    )


def edit_images_plan(work: Path, *, address: str, preset: str, seed: int) -> CommandPlan:
    """All edits of the pairs by few steps."""
    del address
    words = ("--preset", preset, "--seed", str(seed), *_EDITING)
    return CommandPlan(
        kind="edit-images", words=(str(work / "pairs"), *words), folder=work / "edits"
    )


PLANS: dict[str, Callable[..., CommandPlan]] = {
    "fetch": fetch_plan,
    "rethreshold": rethreshold_plan,
    "train": train_plan,
    "evaluate": evaluate_plan,
    "edit-images": edit_images_plan,
}
