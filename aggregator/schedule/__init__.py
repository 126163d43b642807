"""When things happen, and who does them."""
