"""Alarms and the rules that raise them, one rule a file; rules.py lists them."""
