"""Messages of the api to what browsers get, and back: the only place where either is built or read."""
