"""Libraries and servers, satisfying what flows declares."""
