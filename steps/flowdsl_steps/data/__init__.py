"""Steps that turn values into other values."""
