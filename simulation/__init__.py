"""A province that speaks the real protocols and knows the truth."""
