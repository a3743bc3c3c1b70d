"""Libraries, files and servers, satisfying what flows declares."""
