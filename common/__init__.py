"""Words that no domain owns."""
