"""Ours and its rivals, each in a process of its own, so that none disturbs another."""
