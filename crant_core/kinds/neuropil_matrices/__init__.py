"""Synapses to matrices of neurons, one for each neuropil."""
