"""What every step that speaks HTTP shares."""
