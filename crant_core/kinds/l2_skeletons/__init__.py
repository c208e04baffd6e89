"""Neurons to coarse skeletons, through their L2 chunks."""
