"""A as a thing that multiplies: arrays, structure, and combinations of them.

To add one: a file here, and a line in tests/contracts/test_operators.py; adjoint, dtype, shape and
block products are then checked by themselves.
"""

from elltwo.operators.base import MatrixOperator, Operator, WrappedOperator
from elltwo.operators.check import AdjointCheck, adjoint_mismatch, check_adjoint, has_adjoint
from elltwo.operators.combine import ComposedOperator, RowScaledOperator, StackedOperator
from elltwo.operators.convert import as_operator
from elltwo.operators.convolution import ConvolutionOperator, convolution, gaussian_psf
from elltwo.operators.differences import DifferenceOperator, differences, gradient, laplacian
from elltwo.operators.kronecker import KroneckerOperator
from elltwo.operators.toeplitz import ToeplitzOperator

__all__ = [
    "AdjointCheck",
    "ComposedOperator",
    "ConvolutionOperator",
    "DifferenceOperator",
    "KroneckerOperator",
    "MatrixOperator",
    "Operator",
    "RowScaledOperator",
    "StackedOperator",
    "ToeplitzOperator",
    "WrappedOperator",
    "adjoint_mismatch",
    "as_operator",
    "check_adjoint",
    "convolution",
    "differences",
    "gaussian_psf",
    "gradient",
    "has_adjoint",
    "laplacian",
]
