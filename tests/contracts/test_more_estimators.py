"""Kernel, banded and large-scale ridge keep scikit-learn's estimator contract."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from elltwo.estimators.banded import BandedRidgeCV
from elltwo.estimators.kernel import KernelRidge
from elltwo.estimators.kernel_cv import KernelRidgeCV
from elltwo.estimators.large import SparseRidgeCV


def known(estimator):
    """A row twice is two rows to leave out one at a time; a row of weight two is one."""
    reason = "leave-one-out of a duplicated row still sees its twin"
    names = (
        "check_sample_weight_equivalence_on_dense_data",
        "check_sample_weight_equivalence_on_sparse_data",
    )
    return dict.fromkeys(names, reason) if isinstance(estimator, KernelRidgeCV) else {}


@pytest.mark.filterwarnings("ignore")  # the checks feed degenerate data on purpose
@parametrize_with_checks(
    [KernelRidge(), KernelRidgeCV(), BandedRidgeCV(), SparseRidgeCV()], expected_failed_checks=known
)
def test_estimator_contract(estimator, check):
    check(estimator)
