"""ETC billing: rates toll passages, posts the charges, and settles them among road owners, exact to the fen."""
