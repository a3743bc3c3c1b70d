"""HTTP edge: REST, live stream, sign-in, static pages."""
