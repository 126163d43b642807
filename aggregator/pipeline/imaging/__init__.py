"""Images as bytes: fetched, kept and served."""
