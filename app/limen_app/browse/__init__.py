"""What the page Browse is made of: first charts, exports, code that reproduces a selection."""
