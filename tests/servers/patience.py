"""How long a test waits before it calls something hung: no figure of speed, those the benchmarks print."""


def patience(seconds: float) -> float:
    """The bound on a hang, for what takes this many seconds on a machine with nothing else to do."""
    return 10 * seconds
