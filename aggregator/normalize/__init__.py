"""From a draft to a post: dates, text, HTML, categories, links, identity."""
