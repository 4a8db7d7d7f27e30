"""Where networks compute: what it is called, and the memory that it took."""

import torch


def describe_device(device: str) -> str:
    """The name of the card, or `device` itself where it is none."""
    if torch.device(device).type != "cuda":
        return device
    name: str = torch.cuda.get_device_name(device)
    return name


def device_peak_gib(device: str) -> float | None:
    """The most that this process's tensors and cached blocks took of a card; None without one."""
    if torch.device(device).type != "cuda":
        return None
    return float(torch.cuda.max_memory_reserved(device)) / 2**30


def wait_for(device: str | torch.device) -> None:
    """Returns when a card has done what it was asked; at once for the processor."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
