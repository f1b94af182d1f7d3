"""The datasets of the field, read from the files as their owners publish them or from the copies that people have."""
