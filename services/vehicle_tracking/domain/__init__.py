"""The pure core: arrays in, arrays out, no input or output."""
