"""What names in templates mean."""
