"""Whose synapses are not what they were: asked for all neurons together, at the cost of what was edited.

A synapse lies between two supervoxels, and their roots at a time say whose it is. So the synapses of a root that still
holds are what they were, unless one of its partners was edited, or the table itself has other rows. The chunkedgraph
lists the roots that edits made (one request, however many neurons there are); whoever has a synapse with one of these
has other partners now. That finds edits everywhere in the dataset, also those of neurons that nobody asked about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from crant_core.errors import SourceError
from crant_core.sources.chunkedgraph_requests import asking
from crant_core.synapses import rows as table
from crant_core.synapses.question import Question
from crant_core.synapses.rows import ID, POST, PRE

if TYPE_CHECKING:
    from crant_core.sources.cave import CaveSource
    from crant_core.times import TimeBase

_MARGIN = timedelta(seconds=1)  #: around the interval: a root too many costs a look at its synapses


@dataclass(frozen=True, slots=True)
class Changes:
    """Neurons with a partner that was edited.

    Attributes
    ----------
    outputs, inputs : frozenset of int
        Those of which a postsynaptic, a presynaptic partner was.
    edited : frozenset of int
        All roots of the dataset that edits made.
    """

    outputs: frozenset[int] = frozenset()
    inputs: frozenset[int] = frozenset()
    edited: frozenset[int] = frozenset()


def changes(source: CaveSource, roots: Sequence[int], since: TimeBase, until: TimeBase) -> Changes | None:
    """Find which roots, that hold at two times, have other synapses at the second than at the first.

    Source: `GET /segmentation/api/v1/table/{table}/delta_roots`; the number of rows of the synapse table at both
    times; and, if anything was edited, the synapses between these roots and the edited ones, as
    `crant_core.get_synapses` asks.

    Parameters
    ----------
    source : CaveSource
    roots : sequence of int
    since, until : TimeBase
        The second is not before the first.

    Returns
    -------
    Changes or None
        None: that cannot be told, since the table has other rows or the server does not say, so all may have.

    Raises
    ------
    SourceError

    Notes
    -----
    Of a time without a version, the rows of the last version before it are counted: what was added to the table since
    then is noticed once a version has it.
    """
    if since.timestamp == until.timestamp:
        return Changes()
    if since.timestamp > until.timestamp:
        return None
    before, after = (_rows(source, base) for base in (since, until))
    if before is None or before != after:
        return None
    edited = sorted(made_between(source, since.timestamp, until.timestamp))
    if not edited or not roots:
        return Changes(edited=frozenset(edited))
    question = Question(source, until, update=False)
    outputs, inputs = (
        frozenset(table.fetch(question, [{own: roots, other: edited}], (ID, own))[own].tolist())
        for own, other in ((PRE, POST), (POST, PRE))
    )
    return Changes(outputs, inputs, frozenset(edited))


def made_between(source: CaveSource, since: datetime, until: datetime) -> set[int]:
    """Return the roots that edits made in an interval, and a second around it.

    Source: `GET /segmentation/api/v1/table/{table}/delta_roots`.

    Raises
    ------
    SourceError
    """
    return _delta(source, since, until)[1]


def touched_between(source: CaveSource, since: datetime, until: datetime) -> set[int]:
    """Return the roots that edits made or ended in an interval, and a second around it; raises as `made_between`."""
    ended, made = _delta(source, since, until)
    return ended | made


def _delta(source: CaveSource, since: datetime, until: datetime) -> tuple[set[int], set[int]]:
    with asking(source.dataset.server):
        ended, made = source.client().chunkedgraph.get_delta_roots(since - _MARGIN, until + _MARGIN)
    return {int(root) for root in ended}, {int(root) for root in made}


def _rows(source: CaveSource, base: TimeBase) -> int | None:
    """Count the rows of the synapse table at a time; None where no version that is left tells."""
    name, client = table.synapse_table(source), source.client()
    try:
        with asking(source.dataset.server):
            version = base.version or _last_version(client, base.timestamp)
            return None if version is None else int(client.materialize.get_annotation_count(name, version=version))
    except SourceError as error:
        if error.retryable:
            raise
        return None


def _last_version(client: Any, moment: datetime) -> int | None:
    known = client.materialize.get_versions_metadata()
    before = [one for one in known if one["time_stamp"] <= moment]
    return max(before, key=lambda one: one["time_stamp"])["version"] if before else None
