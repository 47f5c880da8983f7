"""The root of a monotone function inside a bracket."""

from collections.abc import Callable


def root(function: Callable[[float], float], low: float, high: float, tolerance: float = 1e-13) -> float:
    """x in [low, high] with function(x) = 0, by Chandrupatla's method (1997): bisection made quick by interpolation.

    The signs at both ends must differ; where they do not, the end nearer to zero is returned. `tolerance` is relative.
    """
    a, b = high, low
    f_a, f_b = function(a), function(b)
    if f_a * f_b >= 0.0:
        return a if abs(f_a) < abs(f_b) else b
    c, f_c, step, best = a, f_a, 0.5, b
    for _ in range(200):
        x = a + step * (b - a)
        f_x = function(x)
        if (f_x > 0.0) == (f_a > 0.0):
            c, f_c = a, f_a
        else:
            c, f_c, b, f_b = b, f_b, a, f_a
        a, f_a = x, f_x
        best = a if abs(f_a) < abs(f_b) else b
        narrow = (tolerance * abs(best) + 1e-300) / abs(b - c) if b != c else 1.0
        if narrow > 0.5 or f_a == 0.0 or f_b == 0.0:
            return best
        step = min(1.0 - narrow, max(narrow, _step((a, b, c), (f_a, f_b, f_c))))
    return best


def _step(points: tuple[float, float, float], values: tuple[float, float, float]) -> float:
    """Inverse quadratic interpolation where it is safe, else the middle."""
    (a, b, c), (f_a, f_b, f_c) = points, values
    xi, phi = (a - b) / (c - b), (f_a - f_b) / (f_c - f_b)
    if phi * phi < xi and (1.0 - phi) * (1.0 - phi) < 1.0 - xi:
        first = f_a / (f_b - f_a) * f_c / (f_b - f_c)
        return first + (c - a) / (b - a) * f_a / (f_c - f_a) * f_b / (f_c - f_b)
    return 0.5
