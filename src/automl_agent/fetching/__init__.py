"""Data that lie elsewhere: links and named sets become local files, and sets are found by words."""
