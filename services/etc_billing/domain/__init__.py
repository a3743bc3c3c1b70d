"""What a passage costs and who owes whom: pure functions over arrays."""
