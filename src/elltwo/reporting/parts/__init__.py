"""The parts of a report: each turns facts into one plain entry of the dict."""
