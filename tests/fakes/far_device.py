"""A device without hardware: it computes what the CPU does, and refuses tensors from elsewhere.

On a CPU alone nobody sees that a picture was never moved to where a network computes. Inside
`far_device()` a tensor that is sent to `FAR` is wrapped: it says it lies there, operations take
such tensors alone, as on a card, and what they hold are the CPU's own numbers. So code that is
right gives what it gives on the CPU, but for sums that torch takes another way there; code that
mixes devices is told so.

The name is that of torch's device for tensors without data, since a name must be one that torch
knows; torch makes some tensors there past all modes, so that indices by lists and tensors from
Python's numbers are made here instead.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

FAR = torch.device("meta:0")

_ACROSS = {"aten::copy_", "aten::_to_copy", "aten::to"}
"""Operations between devices."""

_INDEXING = {"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"}
"""Operations whose indices may lie on the CPU, on a card too."""


class DeviceMismatchError(RuntimeError):
    """An operation got tensors from both devices."""


class FarTensor(torch.Tensor):
    """What says that it lies on `FAR`; `held` has its numbers."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held, **_):
        # Not one of inference, which could be changed nowhere else.
        with torch.inference_mode(mode=False):
            return torch.Tensor._make_wrapper_subclass(
                cls,
                held.size(),
                strides=held.stride(),
                storage_offset=held.storage_offset(),
                dtype=held.dtype,
                layout=held.layout,
                device=FAR,
            )

    def __init__(self, held, **_):
        self.held = held

    def __repr__(self):
        return f"FarTensor({self.held})"

    def __getitem__(self, index):
        return super().__getitem__(_as_tensors(index))

    def __setitem__(self, index, value):
        super().__setitem__(_as_tensors(index), value)

    def new_tensor(self, data, *, dtype=None, device=None):
        return torch.tensor(data, dtype=dtype or self.dtype).to(device or FAR)

    def tolist(self):
        return self.held.tolist()

    def numpy(self, *, force=False):
        raise TypeError("can't convert a tensor that lies elsewhere to numpy; call .cpu() first")

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


class _Operations(TorchDispatchMode):
    """Sees operations that make tensors on `FAR` of none that lie there."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


class _PythonData(TorchFunctionMode):
    """Tensors of Python's numbers."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        made = func in (torch.tensor, torch.as_tensor) and _is_far(kwargs.get("device"))
        if made:
            del kwargs["device"]
        result = func(*args, **kwargs)
        return result.to(FAR) if made else result


@contextmanager
def far_device() -> Iterator[str]:
    """Within it there is a device, whose name is given."""
    with _PythonData(), _Operations():
        yield str(FAR)


def _is_far(device):
    return device is not None and torch.device(device) == FAR


def _as_tensors(index):
    if isinstance(index, tuple):
        return tuple(map(_as_tensors, index))
    return torch.tensor(index) if isinstance(index, list) else index


def _run(func, args, kwargs):
    """What `func` gives, of tensors that all lie in one place; there lies what it gives."""
    tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)]
    far = any(isinstance(each, FarTensor) for each in tensors)
    # A single number may come from the CPU.
    near = any(not isinstance(each, FarTensor) and each.dim() > 0 for each in tensors)
    name = func._schema.name
    if far and near and name not in _ACROSS | _INDEXING:
        raise DeviceMismatchError(f"{func} got some tensors from {FAR} and some from the CPU")
    asked = _asked_device(func, args, kwargs)
    held = func(*tree_map(_bare, args), **tree_map(_bare, kwargs))
    if func._schema.is_mutable and isinstance(args[0], torch.Tensor):
        bare = args[0].held if isinstance(args[0], FarTensor) else args[0]
        if held is bare or name == "aten::copy_":
            return args[0]
    stays = _is_far(asked) if asked is not None else far
    return tree_map(_wrap, held) if stays else held


def _asked_device(func, args, kwargs):
    """The device that a call names, or that of the tensor it names as a model; else None."""
    for place, argument in enumerate(func._schema.arguments):
        given = args[place] if place < len(args) else kwargs.get(argument.name)
        if argument.name == "device" and given is not None:
            return given
        if func._schema.name == "aten::to" and argument.name == "other":
            return given.device
    return None


def _bare(value):
    if isinstance(value, FarTensor):
        return value.held
    return torch.device("cpu") if isinstance(value, torch.device) and value == FAR else value


def _wrap(value):
    return FarTensor(value) if isinstance(value, torch.Tensor) else value
