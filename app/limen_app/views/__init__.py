"""The pages, one module each: read the state, ask the toolkit, draw."""
