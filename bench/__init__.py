"""What it costs: each module measures one thing, and `python -m bench.run` writes RESULTS.md."""
