"""Skeletons as SWC text: the format every neuron tool reads."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from crant_core.errors import SkeletonError
from crant_core.skeleton.tree import Skeleton, in_order

FORMAT = "swc"
FORMAT_VERSION = 1

_UNDEFINED = 0  # the SWC type of a node nobody classified
_SOMA = 1
_COLUMNS = 7


def to_swc(skeleton: Skeleton, header: Mapping[str, str], *, soma: int | None = None) -> bytes:
    """Write a skeleton as SWC.

    Parameters
    ----------
    skeleton : Skeleton
        In nm.
    header : mapping of str to str
        Written as `# key: value` lines, in order. The units are added: SWC itself has none.
    soma : int, optional
        The soma's node, which gets SWC's type 1; all others have type 0.

    Returns
    -------
    bytes
        Lines `id type x y z radius parent` with ids from 1, positions and radii in nm to 0.001 nm.
    """
    comments = [f"# {key}: {_one_line(value)}" for key, value in {**header, "units": "nm"}.items()]
    comments.append("# columns: id type x y z radius parent")
    parents = np.where(skeleton.parents < 0, -1, skeleton.parents + 1).tolist()
    soma_number = None if soma is None else soma + 1
    rows = zip(skeleton.nodes.tolist(), skeleton.radii.tolist(), parents, strict=True)
    lines = [
        f"{number} {_SOMA if number == soma_number else _UNDEFINED} {x:.3f} {y:.3f} {z:.3f} {radius:.3f} {parent}"
        for number, ((x, y, z), radius, parent) in enumerate(rows, start=1)
    ]
    return ("\n".join([*comments, *lines]) + "\n").encode()


def read_swc(data: bytes) -> Skeleton:
    """Read SWC, from this project or another; positions are taken as they are.

    Parameters
    ----------
    data : bytes
        SWC text. Ids may have gaps and come in any order.

    Raises
    ------
    SkeletonError
        A line does not have seven numbers, an id occurs twice, or a parent does not exist.
    """
    lines = [line for line in data.decode().splitlines() if line.strip() and not line.lstrip().startswith("#")]
    table = _table(lines)
    ids, parents = _whole(lines, 0), _whole(lines, _COLUMNS - 1)
    return in_order(table[:, 2:5], table[:, 5], rows_of_parents(ids, parents))


def _table(lines: list[str]) -> NDArray[np.float64]:
    if not lines:
        raise SkeletonError("the SWC has no nodes")
    try:
        table = np.array([line.split() for line in lines], dtype=np.float64)
    except ValueError as error:
        raise SkeletonError(f"the SWC has a line that is not seven numbers: {error}") from error
    if table.shape[1] != _COLUMNS:
        raise SkeletonError(f"SWC has {_COLUMNS} columns, not {table.shape[1]}")
    return table


def _whole(lines: list[str], column: int) -> NDArray[np.int64]:
    """Read ids as integers: they never pass through float."""
    try:
        return np.array([int(line.split()[column]) for line in lines], dtype=np.int64)
    except ValueError as error:
        raise SkeletonError(f"an SWC id is not an integer: {error}") from error


def rows_of_parents(ids: NDArray[np.int64], parents: NDArray[np.int64]) -> NDArray[np.int64]:
    """Turn parent ids into row numbers, -1 for roots.

    Raises
    ------
    SkeletonError
        An id occurs twice, or a parent does not exist.
    """
    order = np.argsort(ids, kind="stable")
    in_rank = ids[order]
    if (np.diff(in_rank) == 0).any():
        raise SkeletonError("a node id occurs twice")
    slots = np.minimum(np.searchsorted(in_rank, parents), len(ids) - 1)
    known = in_rank[slots] == parents
    if not (known | (parents < 0)).all():
        raise SkeletonError("a node's parent does not exist")
    return np.where(known, order[slots], -1)


def _one_line(value: str) -> str:
    """Keep a header value from starting a line of its own."""
    return " ".join(str(value).split())
