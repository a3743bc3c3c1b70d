"""Flows: the order of effects. What is committed has been stored; what was stored may be stored again after a crash."""
