"""Neurons to whole surfaces."""
