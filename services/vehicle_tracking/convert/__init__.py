"""Proto to domain and back: the only place where messages are built or read."""
