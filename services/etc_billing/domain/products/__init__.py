"""Toll products: one agreement a file, all of them in products.py."""
