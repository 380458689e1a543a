"""Plain data between a student's process and the judge: JSON, with arrays as npy and never a pickle.

What crosses: None, bool, int, float, str, list, tuple, dict, NumPy arrays and scalars, PyTorch tensors and Props.
Anything else a student returns crosses as the name of its type. What comes back is untrusted: `loads` and `decode`
refuse whatever is too large, too deep or malformed with `WireError`.
"""

import base64
import io
import json
import math
import sys
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

MAX_BYTES = 64 * 2**20
MAX_DEPTH = 40
MAX_NODES = 200_000
MAX_HEADER = 1000


class WireError(ValueError):
    """Bytes that are not plain data of ours."""


@dataclass(frozen=True)
class Prop:
    """A callable input, named by its kind and plain data; the probe builds it (see props.py)."""

    kind: str
    data: dict = field(default_factory=dict)

    def __init__(self, kind: str, **data):
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "data", data)


@dataclass(frozen=True)
class Tensor:
    """A tensor as the judge sees it: its values as an array, without importing PyTorch."""

    array: np.ndarray


@dataclass(frozen=True)
class Opaque:
    """Something that is not plain data, known only by the name of its type."""

    type_name: str


def dumps(tree) -> bytes:
    return json.dumps(tree, separators=(",", ":")).encode()


def loads(data: bytes, max_bytes: int = MAX_BYTES):
    if len(data) > max_bytes:
        raise WireError(f"{len(data)} bytes; at most {max_bytes} are accepted")
    try:
        return json.loads(data)
    except (ValueError, RecursionError, MemoryError) as error:
        raise WireError(f"not JSON: {type(error).__name__}") from None


def encode(value):
    """A JSON tree of `value`. Arrays keep dtype, shape and whether they are contiguous."""
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return {"float": value.hex()}
    if isinstance(value, (list, tuple)):
        return {"tuple" if isinstance(value, tuple) else "list": [encode(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(key), encode(item)] for key, item in value.items()]}
    if isinstance(value, Prop):
        return {"prop": value.kind, "data": encode(value.data)}
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return {"scalar": _npy(np.array(value))}
    if type(value) is np.ndarray and value.dtype.kind in "biuf" and value.dtype.itemsize <= 8:
        return {"array": _npy(value), "strided": not value.flags.c_contiguous}
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return _encode_tensor(value)
    if isinstance(value, (int, float, str)):
        return encode(next(base for base in (int, float, str) if isinstance(value, base))(value))
    return {"opaque": _type_name(value)}


def decode(tree, tensors: bool = False):
    """The value of a tree; with `tensors`, tensors are PyTorch's, else `Tensor`."""
    return _decode(tree, tensors, MAX_DEPTH, [MAX_NODES])


def plain(value):
    """`value` with every `Tensor` as its array."""
    if isinstance(value, Tensor):
        return value.array
    if isinstance(value, (list, tuple)):
        return type(value)(plain(item) for item in value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def _encode_tensor(value):
    try:
        array = value.detach().cpu().numpy()
    except (TypeError, RuntimeError):
        return {"opaque": f"torch.Tensor of dtype {value.dtype}"}
    return {"tensor": _npy(array), "strided": not array.flags.c_contiguous}


def _npy(array: np.ndarray) -> str:
    return base64.b64encode(_header(array.dtype.str, array.shape) + array.tobytes()).decode()


@lru_cache(maxsize=4096)
def _header(dtype: str, shape: tuple) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def _from_npy(text) -> np.ndarray:
    try:
        data = base64.b64decode(text, validate=True)
        end = 10 + int.from_bytes(data[8:10], "little")
        shape, fortran, dtype = _read_header(data[: min(end, MAX_HEADER + 1)])
        body = data[end:]
        if math.prod(shape) * dtype.itemsize != len(body):
            raise WireError("an array whose size is not what its header says")
        return np.frombuffer(body, dtype).reshape(shape, order="F" if fortran else "C").copy()
    except WireError:
        raise
    except Exception as error:
        raise WireError(f"not an npy array: {type(error).__name__}") from None


@lru_cache(maxsize=4096)
def _read_header(data: bytes) -> tuple:
    """Shape, whether in Fortran order, and dtype."""
    if len(data) > MAX_HEADER:
        raise WireError("an npy array with a long header")
    stream = io.BytesIO(data)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise WireError("an npy array of another version")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.kind not in "biuf" or dtype.itemsize > 8 or len(shape) > 32 or any(n < 0 for n in shape):
        raise WireError(f"an array of dtype {dtype}")
    return shape, fortran, dtype


def _decode(tree, tensors, depth, nodes):
    nodes[0] -= 1
    if depth == 0 or nodes[0] < 0:
        raise WireError("nested too deep" if depth == 0 else "too many values")
    if tree is None or isinstance(tree, (bool, int, str)):
        return tree
    if not isinstance(tree, dict) or not tree:
        raise WireError(f"unexpected {type(tree).__name__}")
    kind = next(iter(tree))
    body = tree[kind]
    if kind == "float" and isinstance(body, str):
        try:
            return float.fromhex(body)
        except (ValueError, OverflowError):
            raise WireError("not a number") from None
    if kind in ("list", "tuple") and isinstance(body, list):
        items = [_decode(item, tensors, depth - 1, nodes) for item in body]
        return items if kind == "list" else tuple(items)
    if kind == "dict" and isinstance(body, list):
        return _decode_dict(body, tensors, depth, nodes)
    if kind == "prop" and isinstance(body, str):
        return Prop(body, **_decode(tree.get("data"), tensors, depth - 1, nodes))
    if kind == "scalar":
        return _from_npy(body).reshape(())[()]
    if kind in ("array", "tensor"):
        array = _from_npy(body)
        if tree.get("strided"):
            array = _strided(array)
        return array if kind == "array" else _tensor(array, tensors)
    if kind == "opaque" and isinstance(body, str):
        return Opaque(body[:200])
    raise WireError(f"unknown kind {kind[:40]!r}")


def _decode_dict(pairs, tensors, depth, nodes):
    result = {}
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2:
            raise WireError("not a pair")
        try:
            result[_decode(pair[0], tensors, depth - 1, nodes)] = _decode(pair[1], tensors, depth - 1, nodes)
        except TypeError:
            raise WireError("a key that cannot be hashed") from None
    return result


def _strided(array: np.ndarray) -> np.ndarray:
    """The same values, contiguous in no order of the axes, so that no two axes can be merged in place."""
    if array.ndim == 0:
        return array
    wide = np.zeros((2 * array.shape[-1], *array.shape[-2::-1]) if array.ndim > 1 else 2 * array.size, array.dtype)
    view = wide[::2].T
    view[...] = array
    return view


def _tensor(array, tensors):
    if not tensors:
        return Tensor(array)
    import torch

    return torch.from_numpy(array) if array.ndim else torch.tensor(array[()])


def _type_name(value) -> str:
    kind = type(value)
    name = str(getattr(kind, "__qualname__", "unknown"))
    module = str(getattr(kind, "__module__", "builtins"))
    return (name if module in ("builtins", "__main__") else f"{module}.{name}")[:200]
