"""The order of effects: load, decide, store."""
