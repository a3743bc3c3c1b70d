"""One seeded benchmark per promise."""
