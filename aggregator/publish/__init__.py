"""From posts to documents, and from documents to the disk."""
