"""The one exception users see."""


class BenchError(Exception):
    """One sentence that says what is wrong and what to do; the command line prints it without a traceback."""
