"""The terminal: commands that load on first use, results on stdout, messages on stderr.

Exit codes: 0 done, 1 could not be done, 2 used wrongly, 3 the data or their columns, 130 interrupted.
"""
