"""Who is who: what annotators say of every neuron, made up except that the first five are real projection neurons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crant_core.sandbox.world.morphology import Morphology


@dataclass(frozen=True)
class Role:
    """What annotators say of one neuron."""

    cell_class: str | None
    cell_type: str | None = None
    side: str | None = None
    tract: str | None = None
    region: tuple[str, ...] = ()
    super_class: str | None = None
    flow: str | None = None
    known_nt: str | None = None
    instance: str | None = None


_CENTRAL_COMPLEX = (
    *(("EBc", "EPG/PEG", "acetylcholine"),) * 8,
    *(("ER", f"ER{number}", "GABA") for number in (1, 2, 2, 3, 3, 4)),
    *(("FBt", "FBt5/6", "dopamine"),) * 3,
    *(("FBt", "FBt2", None),) * 3,
    *(("PBt", "delta7", "glutamate"),) * 4,
    *(("PBt", "PFN", "acetylcholine, sNPF"),) * 4,
)
_OPN = "olfactory_projection_neuron"
_WEDGES = ("R1", "L8", "R2", "L7", "R3", "L6", "R4", "L5")  # column labels of the EPG/PEG neurons
_OTHERS = (
    Role(
        _OPN,
        "mPN",
        "left",
        "mALT",
        ("AL", "MB", "LH"),
        "ascending",
        "afferent",
        "acetylcholine",
    ),
    Role(_OPN, "lPN", "left", "lALT", ("AL", "LH"), "ascending", "afferent", "acetylcholine"),
    Role(_OPN, "mlPN", "right", "mlALT", ("AL", "LH"), "ascending", "afferent", "GABA"),
    Role("spiny_kenyon_cell", "KC", "right", None, ("MB",), "intrinsic", "intrinsic", "acetylcholine, sNPF"),
    Role("descending_neuron", "DN", "left", None, ("LH",), "descending", "efferent", None),
    Role("ER_input", "PFN?", "right", None, ("CX", "AL"), "intrinsic", "intrinsic", None),
    Role("pars_intercerebralis", None, None, None, (), "endocrine", "efferent", None),
    Role(None),
)


def roles(trees: Sequence[Morphology], real: int) -> list[Role]:
    """Give every neuron a role; the made-up ones nearest the middle become the central complex, so that they meet."""
    made_up = np.array([tree.nodes.mean(axis=0) for tree in trees[real:]])
    order = np.linalg.norm(made_up - np.median(made_up, axis=0), axis=1).argsort(kind="stable")
    found = [_projection_neuron(number) for number in range(real)] + [Role(None)] * len(made_up)
    for rank, partner in enumerate(order.tolist()):
        found[real + partner] = _role_of(rank)
    return found


def _projection_neuron(number: int) -> Role:
    return Role(
        _OPN,
        "DA1_lPN",
        "right",
        "mALT",
        ("AL", "MB", "LH"),
        "ascending",
        "afferent",
        "acetylcholine",
        f"DA1_lPN_{number + 1}",
    )


def _role_of(rank: int) -> Role:
    if rank >= len(_CENTRAL_COMPLEX):
        return _OTHERS[(rank - len(_CENTRAL_COMPLEX)) % len(_OTHERS)]
    cell_class, cell_type, transmitter = _CENTRAL_COMPLEX[rank]
    side = "left" if rank % 2 else "right"
    instance = f"EPG_{_WEDGES[rank]}" if cell_type == "EPG/PEG" else f"{cell_type}_{rank + 1}"
    return Role(cell_class, cell_type, side, None, ("CX",), "intrinsic", "intrinsic", transmitter, instance)


def anchors(trees: Sequence[Morphology]) -> NDArray[np.int64]:
    """Return the node of each neuron that annotations point to: its thickest, which is the soma where there is one."""
    return np.array([int(tree.radii.argmax()) for tree in trees])
