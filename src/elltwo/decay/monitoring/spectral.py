"""Spectra of weights during training: spectral norm and stable rank by warm-started power iteration, and more."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from elltwo.errors import InputError

__all__ = ["SpectralMeter", "effective_rank", "radial_tangential", "sharpness"]


class SpectralMeter:
    """σ₁ of each matrix: a few Golub–Kahan steps at first, then one power iteration on the kept vector per sample.

    A convolution kernel is the matrix (out channels × rest).
    """

    def __init__(self, matrices: Mapping[str, torch.Tensor], start_steps: int = 6) -> None:
        self.matrices = {
            n: t for n, t in matrices.items() if t.dim() >= 2 and t.numel() > 0 and not t.is_complex()
        }
        self._start, self._right = start_steps, dict[str, torch.Tensor]()

    @torch.no_grad()
    def spectral_norms(self) -> torch.Tensor:
        """σ₁ per matrix, shape (matrices,), on the device: a lower bound, usually within 1 %."""
        out = []
        for name, tensor in self.matrices.items():
            w = tensor.detach().reshape(tensor.shape[0], -1)
            w = w if w.dtype in (torch.float32, torch.float64) else w.float()
            kept = self._right.get(name)
            sigma, self._right[name] = _golub_kahan(w, self._start) if kept is None else _power(w, kept)
            out.append(sigma.float())
        return torch.stack(out) if out else torch.zeros(0)

    def log10_bound(self, norms: Mapping[str, float]) -> float:
        """log₁₀ Π σ₁ √(kernel size): a Lipschitz bound of a chain of these layers with 1-Lipschitz activations.

        √(kernel area)·σ₁ bounds a convolution's operator norm. Skip connections and attention are outside it.
        """
        total = 0.0
        for name, sigma in norms.items():
            kernel = math.prod(self.matrices[name].shape[2:]) if self.matrices[name].dim() > 2 else 1
            total += math.log10(max(sigma, 1e-300)) + 0.5 * math.log10(kernel)
        return total


def _power(w: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """σ₁ ≥ ‖wᵀu‖/‖u‖ for u = w v, and the next v."""
    tiny = torch.finfo(w.dtype).tiny
    u = torch.mv(w, v)
    v = torch.mv(w.t(), u)
    size = torch.linalg.vector_norm(v)
    return size / torch.linalg.vector_norm(u).clamp_min(tiny), v / size.clamp_min(tiny)


def _golub_kahan(w: torch.Tensor, steps: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Largest Ritz value of w and its right vector after ``steps`` of Golub–Kahan bidiagonalization.

    Source: Golub & Van Loan, Matrix Computations, section 10.4. Right vectors are orthogonalized again.
    """
    steps, limits = min(steps, *w.shape), torch.finfo(w.dtype)
    basis, small = w.new_zeros(steps, w.shape[1]), w.new_zeros(steps, steps)
    v, u, beta = _random_unit(w), w.new_zeros(w.shape[0]), w.new_zeros(())
    for j in range(steps):
        basis[j] = v
        if j:
            small[j - 1, j] = beta
        u = torch.mv(w, v) - beta * u
        small[j, j] = alpha = torch.linalg.vector_norm(u)
        u = u / alpha.clamp_min(limits.tiny)
        v = torch.mv(w.t(), u) - alpha * v
        v = v - torch.mv(basis.t(), torch.mv(basis, v))
        beta = torch.linalg.vector_norm(v)
        # A rest this small is rounding, not a direction: the space is exhausted, and what follows stays zero.
        v = v / beta.clamp_min(limits.tiny) * (beta > limits.eps**0.5 * small.amax())
    # The SVD refuses what is not finite; diverged weights shall read nan instead.
    _, ritz, right = torch.linalg.svd(torch.nan_to_num(small))
    return ritz[0] + 0.0 * small.sum(), torch.mv(basis.t(), right[0])


def _random_unit(w: torch.Tensor) -> torch.Tensor:
    # Own generator: a monitor must not move the training run's random numbers.
    generator = torch.Generator().manual_seed(w.shape[0] * 1_000_003 + w.shape[1])
    v = torch.randn(w.shape[1], generator=generator, dtype=torch.float64).to(device=w.device, dtype=w.dtype)
    return v / torch.linalg.vector_norm(v)


@torch.no_grad()
def effective_rank(weight: torch.Tensor) -> float:
    """exp of the entropy of σ_i/Σσ (Roy & Vetterli 2007): by a full SVD, so on request only."""
    s = torch.linalg.svdvals(weight.detach().reshape(weight.shape[0], -1).double())
    p = s / s.sum()
    p = p[p > 0]
    return float(torch.exp(-(p * p.log()).sum()))


def sharpness(
    loss: Callable[[], torch.Tensor],
    params: list[torch.Tensor],
    *,
    weight_decays: list[float] | None = None,
    iterations: int = 30,
    tolerance: float = 1e-3,
    seed: int = 0,
) -> float:
    """λ_max(H + diag λ) of the loss by power iteration on Hessian-vector products (H alone without λ).

    Parameters
    ----------
    loss : callable
        Evaluates the loss on a fixed batch, with the graph.
    params : tensors to differentiate by.
    weight_decays : λ per tensor, added to the diagonal.

    Raises
    ------
    InputError
        If the loss has no second derivative with respect to ``params``.
    """
    lambdas = weight_decays or [0.0] * len(params)
    with torch.enable_grad():
        value = loss()
        grads = torch.autograd.grad(
            value, params, create_graph=True, allow_unused=True, materialize_grads=True
        )
    generator = torch.Generator().manual_seed(seed)
    v = [torch.randn(p.shape, generator=generator).to(p) for p in params]
    top = 0.0
    for _ in range(iterations):
        size = math.sqrt(sum(float((x * x).sum()) for x in v))
        v = [x / size for x in v]
        product = _hessian_product(grads, params, v)
        v_next = [h + lam * x for h, lam, x in zip(product, lambdas, v, strict=True)]
        new = sum(float((a * b).sum()) for a, b in zip(v, v_next, strict=True))
        done, top, v = abs(new - top) <= tolerance * abs(new), new, v_next
        if done or not any(float(x.abs().max()) > 0 for x in v):
            break
    return top


def _hessian_product(grads: Any, params: list[torch.Tensor], v: list[torch.Tensor]) -> list[torch.Tensor]:
    try:
        return list(
            torch.autograd.grad(
                grads, params, grad_outputs=v, retain_graph=True, allow_unused=True, materialize_grads=True
            )
        )
    except RuntimeError as error:
        raise InputError(f"the loss cannot be differentiated twice: {str(error).splitlines()[0]}") from error


@torch.no_grad()
def radial_tangential(embedding: torch.Tensor, gradient: torch.Tensor) -> tuple[float, float]:
    """Root mean squares over rows of the gradient's part along the embedding and across it.

    For a loss of normalized embeddings (InfoNCE on z/‖z‖) the radial part is zero: ⟨z, ∂L/∂z⟩ = 0.
    """
    unit = torch.nn.functional.normalize(embedding.detach().double(), dim=-1)
    g = gradient.detach().double()
    radial = (unit * g).sum(-1)
    across = g - radial.unsqueeze(-1) * unit
    return float(radial.square().mean().sqrt()), float(across.square().sum(-1).mean().sqrt())
