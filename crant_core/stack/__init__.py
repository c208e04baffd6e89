"""The whole service on one machine: starts and supervises the processes, imports none of them."""

from crant_core.stack.stack import RunningStack, Stack, StackOptions

__all__ = ["RunningStack", "Stack", "StackOptions"]
