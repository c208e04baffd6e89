"""Meshes to skeletons."""
