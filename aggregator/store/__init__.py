"""All the SQL there is: what is remembered between two runs, in SQLite or PostgreSQL."""
