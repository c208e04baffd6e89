"""Which of the formats there are a caller would rather have."""

from __future__ import annotations

from collections.abc import Sequence


def preferred(accept: str, offered: Sequence[str]) -> str | None:
    """Return the best offer for an `Accept` header, the first one offered where several are as good; None if none is.

    Parameters
    ----------
    accept : str
        As RFC 9110 has it; empty takes anything.
    offered : sequence of str
        Media types.
    """
    ranges = [_parsed(part) for part in accept.split(",") if part.strip()]
    if not ranges:
        return offered[0]
    weights = {media: _weight(media, ranges) for media in offered}
    best = max(offered, key=lambda media: weights[media])
    return best if weights[best] > 0 else None


def _parsed(part: str) -> tuple[str, float]:
    media, *parameters = (word.strip() for word in part.lower().split(";"))
    return media, next((_number(word[2:]) for word in parameters if word.startswith("q=")), 1.0)


def _number(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0


def _weight(media: str, ranges: Sequence[tuple[str, float]]) -> float:
    """Return the weight of the most telling range that takes a type."""
    for wanted in (media, media.partition("/")[0] + "/*", "*/*"):
        found = [weight for name, weight in ranges if name == wanted]
        if found:
            return max(found)
    return 0.0
