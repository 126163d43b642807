"""The configuration as data: `models` says what may stand in the file, `reading` turns a file into them."""
