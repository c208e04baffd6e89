"""Synapses on skeletons."""
