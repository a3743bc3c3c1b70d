"""Proto to domain and back."""
