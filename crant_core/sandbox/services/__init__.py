"""The services of CAVE, one module each: routes over the state."""
