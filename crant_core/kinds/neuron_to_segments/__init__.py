"""Skeletons to the roots that they run through."""
