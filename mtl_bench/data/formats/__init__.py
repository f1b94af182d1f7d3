"""One module per official file format."""
