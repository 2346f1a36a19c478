"""Everything that spans stubs: python3 -m tools VERB."""
