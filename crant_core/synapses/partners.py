"""Whom neurons are connected with, and with how many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crant_core.errors import InvalidInput
from crant_core.synapses import rows as table
from crant_core.synapses.filters import Filters, Pairs
from crant_core.synapses.question import Question
from crant_core.synapses.rows import POST, PRE, Where

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from crant_core.synapses.question import Neurons
    from crant_core.times import When


def get_connectivity(  # noqa: PLR0917 - the order that people know
    neuron_ids: Any,
    upstream: bool = True,
    downstream: bool = True,
    threshold: int = 1,
    min_size: float | None = None,
    materialization: When = "latest",
    clean: bool = True,
    update_ids: bool = True,
    dataset: Any = None,
) -> pd.DataFrame:
    """List the partners of neurons, with the numbers of synapses.

    Parameters
    ----------
    neuron_ids : ids, neurons or NeuronCriteria
        As in `get_synapses`.
    upstream : bool, default True
        List the neurons that they receive from.
    downstream : bool, default True
        List the neurons that they send to.
    threshold : int, default 1
        Leave out pairs with fewer synapses.
    min_size, materialization, clean, update_ids, dataset
        As in `get_synapses`; filters work in the same order.

    Returns
    -------
    pandas.DataFrame
        One row per pair: `pre`, `post` (root ids at the time) and `weight` (synapses), all int64; the strongest first,
        equally strong ones by `pre`, then `post`. `attrs` as in `get_synapses`.

    Raises
    ------
    InvalidInput
        Neither direction is asked for.
    InvalidId, InvalidTime, VersionNotFound, NoMatchesError, SourceError
        As `get_synapses`.

    Notes
    -----
    Endpoints: as in `get_synapses`, both directions at the same time; no positions are downloaded.
    """
    if not (upstream or downstream):
        raise InvalidInput("neither upstream nor downstream is asked for", hint="set one of them, or both")
    question = Question.of(dataset, materialization, update=update_ids)
    sides = [side for side, is_asked in ((POST, upstream), (PRE, downstream)) if is_asked]
    filters = Filters(threshold, min_size, clean)
    found = connectivity_of(_pairs(question, question.neurons(neuron_ids)[0], sides, filters))
    found.attrs |= question.attributes
    return found


def get_synapse_counts(  # noqa: PLR0917 - the order that people know
    neuron_ids: Any,
    threshold: int = 1,
    min_size: float | None = None,
    materialization: When = "latest",
    clean: bool = True,
    update_ids: bool = True,
    dataset: Any = None,
) -> pd.DataFrame:
    """Count the partners of neurons. It is partners that are counted, in spite of the name: not synapses.

    Parameters
    ----------
    neuron_ids : ids, neurons or NeuronCriteria
        As in `get_synapses`.
    threshold : int, default 1
        Count partners with so many synapses at least.
    min_size, materialization, clean, update_ids, dataset
        As in `get_synapses`; filters work in the same order.

    Returns
    -------
    pandas.DataFrame
        One row per id, in input order, repetitions kept; the index `neuron_id` (int64) has the ids as they were asked
        for, outdated ones too.

        * `pre`: int64, number of different neurons to which it is *presynaptic*: those downstream, its outputs.
        * `post`: int64, number of different neurons to which it is *postsynaptic*: those upstream, its inputs.

        `attrs` as in `get_synapses`.

    Raises
    ------
    InvalidInput, InvalidId, InvalidTime, VersionNotFound, NoMatchesError, SourceError
        As `get_synapses`.

    Notes
    -----
    crantpy's tutorial plots `pre` as "Upstream" and `post` as "Downstream"; it is the other way round.

    Endpoints: as in `get_connectivity`.
    """
    question = Question.of(dataset, materialization, update=update_ids)
    (neurons,) = question.neurons(neuron_ids)
    pairs = _pairs(question, neurons, (POST, PRE), Filters(threshold, min_size, clean))
    found = counts_of(pairs, neurons.roots, neurons.asked)
    found.attrs |= question.attributes
    return found


def connectivity_of(pairs: Pairs) -> pd.DataFrame:
    """List pairs, the strongest first."""
    order = np.argsort(-pairs.weight, kind="stable")  # pairs are in order of their ids
    return pd.DataFrame({"pre": pairs.pre[order], "post": pairs.post[order], "weight": pairs.weight[order]})


def counts_of(pairs: Pairs, roots: NDArray[np.int64], names: NDArray[np.int64]) -> pd.DataFrame:
    """Count the partners of each root, under another name."""
    pre, post = pairs.partners(roots)
    return pd.DataFrame({"pre": pre, "post": post}, index=pd.Index(names, name="neuron_id"), dtype=np.int64)


def _pairs(question: Question, neurons: Neurons, sides: Sequence[str], filters: Filters) -> Pairs:
    wheres: list[Where] = [{side: neurons.roots.tolist()} for side in sides]
    return filters.pairs(table.fetch(question, wheres, filters.columns))
