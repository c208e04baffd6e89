"""All SQL of the service: `jobs` for those who submit and look, `units` for workers, `dispatch` for the dispatcher."""
