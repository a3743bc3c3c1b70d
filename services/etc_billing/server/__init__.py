"""gRPC of the role api: convert, call, convert back."""
