"""Where every vehicle is, and what is wrong."""
