"""One limiter for all workers: each server's rate is in Redis, halved when it is too much, and raised again slowly.

Until a server complains (429 or 503), nobody knows a limit and nothing is held back. Then all workers together send
half as many requests as they did, and with each ten seconds without a complaint one per second more. `Retry-After` is
kept to. Without Redis everybody goes on unlimited: a limiter must not stop the work.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

log = structlog.get_logger()

_COMPLAINTS = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_LONGEST_HOLD = 300.0  #: seconds, whatever a server says
_NAP = 5.0  #: seconds: other workers may have made it longer or shorter meanwhile
_STATE = """
local time = redis.call('TIME')
local now = tonumber(ARGV[1]) or (time[1] + time[2] / 1e6)
local found = redis.call('HMGET', KEYS[1], 'rate', 'tokens', 'at', 'hold', 'since', 'count', 'seen', 'halved')
local rate, tokens, at = tonumber(found[1]), tonumber(found[2]) or 1, tonumber(found[3]) or now
local hold, since, count = tonumber(found[4]) or 0, tonumber(found[5]) or now, tonumber(found[6]) or 0
local seen, halved = tonumber(found[7]) or 0, tonumber(found[8]) or -1e9
local function keep(...)
  redis.call('HSET', KEYS[1], ...)
  redis.call('EXPIRE', KEYS[1], 3600)
end
"""
#: returns the seconds to wait before asking again; 0 if the request may be sent, which is then counted
_TAKE = (
    _STATE
    + """
if hold > now then return tostring(hold - now) end
if rate then
  local passed = math.max(0, now - at)
  rate = rate + 0.1 * passed
  tokens = math.min(math.max(1, rate), tokens + passed * rate)
  if tokens < 1 then
    keep('rate', rate, 'tokens', tokens, 'at', now)
    return tostring((1 - tokens) / rate)
  end
  keep('rate', rate, 'tokens', tokens - 1, 'at', now)
end
if now - since >= 1 then
  seen, since, count = count / (now - since), now, 0
end
keep('since', since, 'count', count + 1, 'seen', seen)
return '0'
"""
)
#: a burst of complaints is about one overload: the rate is halved once in two seconds
_HALVE = (
    _STATE
    + """
hold = math.max(hold, now + tonumber(ARGV[2]))
if now - halved >= 2 then
  rate = math.max(0.5, (rate or math.max(seen, count, 1)) / 2)
  keep('rate', rate, 'tokens', 0, 'at', now, 'halved', now)
end
keep('hold', hold)
return tostring(rate)
"""
)


class RedisLimiter:
    """The limiter of a worker process, shared through Redis with all others.

    Parameters
    ----------
    client : redis.Redis
    clock : callable, optional
        Returns seconds; Redis's own clock if left out, which is the same for all hosts.
    sleep : callable
    """

    longest_wait = 10.0  #: then the item is put off, and the process does others

    def __init__(
        self,
        client: redis.Redis,
        *,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.clock = clock
        self.sleep = sleep
        self._take = client.register_script(_TAKE)
        self._halve = client.register_script(_HALVE)

    def wait(self, server: str) -> None:
        """Return when one more request may be sent to a server."""
        while (seconds := self._seconds(server)) > 0:
            self.sleep(min(seconds, _NAP))

    def report(self, server: str, status: int, retry_after: float | None) -> None:
        """Hear a server's answer."""
        if status not in _COMPLAINTS:
            return
        hold = min(retry_after or 0.0, _LONGEST_HOLD)
        try:
            rate = float(self._halve(keys=[_key(server)], args=[self._now(), hold]))
        except redis.RedisError as error:
            log.warning("limiter out of reach", action="unlimited", server=server, error=str(error))
            return
        log.warning(
            "server is busy", action="slowed_down", server=server, status=status, rate=round(rate, 2), hold=hold
        )

    def _seconds(self, server: str) -> float:
        try:
            return float(self._take(keys=[_key(server)], args=[self._now()]))
        except redis.RedisError as error:
            log.warning("limiter out of reach", action="unlimited", server=server, error=str(error))
            return 0.0

    def _now(self) -> float | str:
        return self.clock() if self.clock else ""


def of_broker(url: str) -> RedisLimiter | None:
    """Make the limiter that lives in the broker, or None if that is no Redis."""
    parts = urlsplit(url)
    if parts.scheme in ("redis", "rediss"):
        return RedisLimiter(redis.Redis.from_url(url, **_impatient()))
    if parts.scheme == "redis+socket":
        database = int(parse_qs(parts.query).get("virtual_host", ["0"])[0])
        return RedisLimiter(redis.Redis(unix_socket_path=parts.path, db=database, **_impatient()))
    return None


def _impatient() -> dict[str, Any]:
    """Ask once and briefly: who cannot hear the limiter shall work."""
    return {"socket_timeout": 2.0, "socket_connect_timeout": 2.0, "retry": Retry(NoBackoff(), 0)}


def _key(server: str) -> str:
    return f"crant:limit:{server}"
