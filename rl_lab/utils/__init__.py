"""Things that every script of the book needs and that teach nothing."""
