"""scipy.sparse under a name that a strict type check can read; only training imports it."""

from typing import Any, Final, TypeAlias

import scipy.sparse

SparseMatrix: TypeAlias = Any
"""A `scipy.sparse.csr_matrix`."""

sparse: Final[Any] = scipy.sparse
