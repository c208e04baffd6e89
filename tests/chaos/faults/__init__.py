"""Everything that is done to a job on purpose."""

from tests.chaos.faults import cave, clocks, items, processes, servers, store
from tests.chaos.faults.base import Fault, Seen, try_on

FAULTS: dict[str, Fault] = {
    fault.name: fault for module in (processes, servers, store, cave, items, clocks) for fault in module.FAULTS
}

__all__ = ["FAULTS", "Fault", "Seen", "try_on"]
