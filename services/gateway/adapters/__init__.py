"""Servers that the gateway stands on: the api over gRPC, PostgreSQL, Redis."""
