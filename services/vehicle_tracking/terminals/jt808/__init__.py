"""JT/T 808 of 2011, 2013 and 2019: bytes to frames and positions, and the platform's answers."""
