"""`python -m stilllife.recipes NETWORK`: trains one of the world's networks, or `all` of them."""

import argparse
import sys
from pathlib import Path

import torch

from stilllife.recipes.card import write_card
from stilllife.recipes.collection import HELD_OUT_SEEDS
from stilllife.recipes.networks import NETWORKS, SHIPPED
from stilllife.recipes.workshop import Workshop

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"


def main(argv: list[str] | None = None) -> int:
    """Trains what the command line names and records its held-out figures."""
    parser = argparse.ArgumentParser(prog="python -m stilllife.recipes", description=__doc__)
    parser.add_argument(
        "network",
        choices=[*NETWORKS, "all", "measure", "card"],
        help="what to train; or measure what is shipped again, or write its card again",
    )
    parser.add_argument("--runs", default="runs", help="where training state and pictures lie")
    parser.add_argument("--weights", default=str(WEIGHTS), help="where the models are written")
    parser.add_argument("--pictures", type=int, default=120_000, help="training pictures to render")
    parser.add_argument("--workers", type=int, default=1, help="processes that render")
    parser.add_argument("--threads", type=int, default=1, help="threads that train")
    parser.add_argument("--scale", type=float, default=1.0, help="of every schedule's length")
    parser.add_argument(
        "--bfloat16", action="store_true", help="for processors with AVX-512 BF16 or AMX, and GPUs"
    )
    parser.add_argument(
        "--measure",
        choices=HELD_OUT_SEEDS,
        default="test",
        help="held-out pictures for the figures: validation to choose recipes by, test to report",
    )
    arguments = parser.parse_args(argv)
    if arguments.scale <= 0:
        parser.error(f"--scale must be above 0, got {arguments.scale}")
    torch.set_num_threads(arguments.threads)
    shop = Workshop(arguments)
    trained = [name for name in NETWORKS if arguments.network in (name, "all")]
    for name in trained:
        NETWORKS[name].make(shop)
    for name in SHIPPED if arguments.network == "measure" else trained:
        figures = NETWORKS[name].measure(shop)
        shop.record(name, {"held_out": figures, "measured_on": shop.measured_seed})
    write_card(shop.weights)
    return 0


if __name__ == "__main__":
    sys.exit(main())
