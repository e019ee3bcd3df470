"""The rows of the table, one file a kind of thing."""
