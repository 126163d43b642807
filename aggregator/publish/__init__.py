"""Posts become documents, and documents reach the disk."""
