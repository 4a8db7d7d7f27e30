"""Where networks compute and how precisely: what may be chosen, and what it comes to here.

A device is torch's word for it: `cpu`, `mps`, `cuda`, or `cuda:1` for one card of several. Where
`cuda` alone is said, a worker process takes the card that `take_card` gave it, so that several
workers use several cards. What a network gives depends, to the bit, on device, precision and how
many rows it sees at once: whoever writes results down says so with `describe_placements`.
"""

import functools
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from transforms.models.spec import ModelError, ModelSpec

AUTO = "auto"
CPU = "cpu"
GPUS = ("cuda", "mps")
"""The kinds of devices beside the CPU, best first."""

PLACEMENTS = "computed_on"
"""Under which name manifests say what `describe_placements` does, where it says anything."""

DTYPES = ("float32", "float16", "bfloat16")
GPU_DTYPE = "float16"
CPU_DTYPE = "float32"

_DEVICE = re.compile(r"auto|[a-z]+(:\d+)?")
SIGNS_OF_A_GPU = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")
"""What a Linux machine with a card that torch could use has at least one of."""

_card: int | None = None


@dataclass(frozen=True)
class Placement:
    """Where a network computes, by torch's word, and in which precision (one of `DTYPES`)."""

    device: str
    dtype: str

    @property
    def kind(self) -> str:
        """The device without the number of a card."""
        return self.device.partition(":")[0]


@dataclass(frozen=True)
class NetworkOptions:
    """Rows that a network sees at once, on the CPU and on a GPU; its device and precision.

    `device` is torch's word, or `auto` for cuda, mps or cpu, whichever is here; `dtype` one of
    `DTYPES`, or `auto` for float16 on a GPU and float32 on the CPU. Fewer rows are padded to
    `rows`; for one at a time set the sizes to 1.
    """

    batch_size: int = 16
    gpu_batch_size: int = 64
    device: str = CPU
    dtype: str = CPU_DTYPE

    def __post_init__(self) -> None:
        for name in ("batch_size", "gpu_batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        check_device(self.device)
        check_dtype(self.dtype)

    @property
    def placement(self) -> Placement:
        """Device and precision with nothing left open."""
        return place(self.device, self.dtype)

    @property
    def rows(self) -> int:
        """How many rows the network sees at once."""
        return self.gpu_batch_size if self.placement.kind in GPUS else self.batch_size


def check_device(device: str) -> str:
    """`device` itself, if it is a word for one.

    Raises:
        ValueError: it is none.
    """
    if not _DEVICE.fullmatch(device):
        raise ValueError(f"device must be auto, cpu, mps, cuda or cuda:NUMBER, got {device!r}")
    return device


def check_dtype(dtype: str) -> str:
    """`dtype` itself, if it is a known one.

    Raises:
        ValueError: it is not.
    """
    if dtype not in (AUTO, *DTYPES):
        raise ValueError(f"dtype must be one of {', '.join((AUTO, *DTYPES))}, got {dtype!r}")
    return dtype


def place(device: str, dtype: str) -> Placement:
    """What these words come to on this machine; only `auto` is looked up, nothing is refused."""
    device = first_device() if device == AUTO else device
    if dtype == AUTO:
        dtype = GPU_DTYPE if device.partition(":")[0] in GPUS else CPU_DTYPE
    return Placement(device, dtype)


@functools.cache
def first_device() -> str:
    """The best device here: `cuda`, `mps` or `cpu`.

    Torch is asked only where the machine could have a GPU, since importing it takes seconds.
    """
    if not _could_have_gpu():
        return CPU
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else CPU


def _could_have_gpu() -> bool:
    if platform.system() == "Linux":
        return any(Path(sign).exists() for sign in SIGNS_OF_A_GPU)
    return True


def count_cards() -> int:
    """How many CUDA cards torch can use here."""
    import torch

    return torch.cuda.device_count()


def take_card(worker: int | None) -> None:
    """Makes `cuda` mean one card in this process: those there are, in turn, by `worker` from 0.

    With None it is again torch's own choice, the first.
    """
    global _card
    _card = worker


def own_device(device: str) -> str:
    """`device`, with the number of this process's card where it has one.

    Raises:
        ModelError: it is a card that is not here.
    """
    if device == AUTO:
        device = first_device()
    kind, _, number = device.partition(":")
    if kind != "cuda":
        return device
    cards = count_cards()
    if not cards or (number and int(number) >= cards):
        raise ModelError(f"device {device!r} cannot be used here: torch sees {cards} cards")
    return f"cuda:{_card % cards}" if _card is not None and not number else device


def repeat_exactly(device: str) -> None:
    """Has torch take those ways on a card that give the same bits each time."""
    if device.startswith("cuda"):
        import torch

        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False


def describe_placements(parts: Mapping[str, ModelSpec]) -> dict[str, dict[str, object]]:
    """Where each of `parts` computes, as plain data, for a manifest.

    Parts that compute on the CPU in float32, as all did before there was a choice, are left out.
    `card` is the card's name, where this machine has one; how many rows a network sees at once is
    said where the part's options say it.
    """
    described: dict[str, dict[str, object]] = {}
    for part, spec in parts.items():
        options = dict(spec.options)
        device, dtype = str(options.get("device", CPU)), str(options.get("dtype", CPU_DTYPE))
        placement = place(device, dtype)
        if placement == Placement(CPU, CPU_DTYPE):
            continue
        described[part] = {"device": placement.kind, "dtype": placement.dtype}
        size = "gpu_batch_size" if placement.kind in GPUS else "batch_size"
        if size in options:
            described[part][size] = options[size]
        if placement.kind == "cuda" and count_cards():
            described[part]["card"] = _card_name()
    return described


def _card_name() -> str:
    import torch

    return torch.cuda.get_device_name(0)


def fill_rows(rows: int, *, least: int) -> int:
    """The smallest multiple of `rows` that is at least `least`: so many leave no padding."""
    return -(-least // rows) * rows
