"""Every form of decay on real optimizers, against ten-line references and against exact identities."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from elltwo.decay.forms.apply import LAWS, apply_decay
from elltwo.errors import InputError, UsageError
from elltwo.facts.decayplan import DecayPlan, PlanRow
from elltwo.laws import decay_steps as reference
from elltwo.laws.decay_schedules import schedule_factor

STEPS = 12


def tensors(seed=0, shapes=((4, 3), (5,))):
    generator = torch.Generator().manual_seed(seed)
    return [torch.nn.Parameter(torch.randn(s, generator=generator, dtype=torch.float64)) for s in shapes]


def gradients(params, steps=STEPS, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return [
        [torch.randn(p.shape, generator=generator, dtype=torch.float64) for p in params] for _ in range(steps)
    ]


def run(optimizer, params, grads, lrs=None):
    """Steps with given gradients (and learning rates); returns the weights after each step as arrays."""
    out = []
    for t, step in enumerate(grads):
        if lrs is not None:
            optimizer.param_groups[0]["lr"] = lrs[t]
        for p, g in zip(params, step, strict=True):
            p.grad = g.clone()
        optimizer.step()
        out.append([p.detach().numpy().copy() for p in params])
    return out


def reference_run(grads, start, step, betas=(0.9, 0.999)):
    """The same run by Adam's reference and ``step(t, i, w, u, moments)`` for the decay."""
    weights = [w.copy() for w in start]
    moments = [reference.AdamMoments(np.zeros_like(w), np.zeros_like(w)) for w in weights]
    out = []
    for t, gs in enumerate(grads):
        new = []
        for i, g in enumerate(gs):
            u, moments[i] = reference.adam_direction(g.numpy(), moments[i], betas)
            new.append((i, u))
        weights = [step(t, i, weights[i], u, moments) for i, u in new]
        out.append([w.copy() for w in weights])
    return out


def plan_for(params, proven=(True, False), wd=0.1, bind=True):
    names = [f"p{i}" for i in range(len(params))]
    rows = tuple(
        PlanRow(
            n,
            tuple(p.shape),
            "linear weight",
            wd,
            "test",
            scale_invariant="proven" if yes else "no",
            residual=0.3,
        )
        for n, p, yes in zip(names, params, proven, strict=True)
    )
    return DecayPlan(rows, "standard", wd, parameters=dict(zip(names, params, strict=True)) if bind else None)


def assert_same(ours, theirs, rtol=1e-13):
    for a, b in zip(ours, theirs, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x, y, rtol=rtol, atol=1e-15)


LRS = [0.01 * schedule_factor("cosine", t, STEPS, warmup=3) for t in range(STEPS)]


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("law", ["decoupled", "independent", "cautious", "scheduled", "toward", "stable"])
def test_each_form_on_stock_adamw_follows_its_ten_line_reference(law, fused):
    params = tensors()
    start = [p.detach().numpy().copy() for p in params]
    optimizer = torch.optim.AdamW(params, lr=0.01, weight_decay=0.3, fused=fused)
    options = {"scheduled": {"schedule": "linear", "steps": STEPS}, "independent": {"peak": 0.01}}.get(
        law, {}
    )
    apply_decay(optimizer, law, **options)
    grads = gradients(params)

    def step(t, i, w, u, moments):
        lr = LRS[t]
        if law == "decoupled":
            return reference.decoupled(w, u, lr, 0.3)
        if law == "independent":
            return reference.independent(w, u, lr, 0.3, 0.01)
        if law == "cautious":
            return reference.cautious(w, u, lr, 0.3)
        if law == "toward":
            return reference.toward(w, u, lr, 0.3, start[i])
        if law == "stable":
            v = np.concatenate([(m.v / (1 - 0.999**m.t)).ravel() for m in moments])
            return reference.stable(w, u, lr, 0.3, float(v.mean()))
        return reference.scheduled(w, u, lr, 0.3, schedule_factor("linear", t, STEPS))

    assert_same(run(optimizer, params, grads, LRS), reference_run(grads, start, step), rtol=2e-12)


def test_corrected_decay_follows_its_reference_and_leaves_unproven_groups_plain():
    params = tensors()
    start = [p.detach().numpy().copy() for p in params]
    groups = [{"params": [params[0]]}, {"params": [params[1]]}]
    optimizer = torch.optim.AdamW(groups, lr=0.01, weight_decay=0.3)
    apply_decay(optimizer, "corrected", plan_for(params), peak=0.01)
    grads = gradients(params)

    def step(t, i, w, u, moments):
        lr = 0.01 * 0.9**t
        return reference.corrected(w, u, lr, 0.3, 0.01) if i == 0 else reference.decoupled(w, u, lr, 0.3)

    out = []
    for t, gs in enumerate(grads):
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * 0.9**t
        out += run(optimizer, params, [gs])
    assert_same(out, reference_run(grads, start, step), rtol=2e-12)
    assert optimizer.param_groups[1]["weight_decay"] == 0.3


def test_coupled_on_adamw_is_torch_adam_with_weight_decay_bit_for_bit():
    ours, theirs = tensors(), tensors()
    a = torch.optim.AdamW(ours, lr=0.01, weight_decay=0.3)
    apply_decay(a, "coupled")
    b = torch.optim.Adam(theirs, lr=0.01, weight_decay=0.3)
    grads = gradients(ours)
    for x, y in zip(run(a, ours, grads), run(b, theirs, grads), strict=True):
        assert all(np.array_equal(p, q) for p, q in zip(x, y, strict=True))


def test_decoupled_on_adam_is_torch_adamw_bit_for_bit():
    ours, theirs = tensors(), tensors()
    a = torch.optim.Adam(ours, lr=0.01, weight_decay=0.3)
    apply_decay(a, "decoupled")
    b = torch.optim.AdamW(theirs, lr=0.01, weight_decay=0.3)
    grads = gradients(ours)
    for x, y in zip(run(a, ours, grads), run(b, theirs, grads), strict=True):
        assert all(np.array_equal(p, q) for p, q in zip(x, y, strict=True))


def test_coupled_and_decoupled_decay_are_the_same_run_under_sgd():
    ours, theirs = tensors(), tensors()
    a, b = torch.optim.SGD(ours, lr=0.1, weight_decay=0.3), torch.optim.SGD(theirs, lr=0.1, weight_decay=0.3)
    apply_decay(b, "decoupled")
    grads = gradients(ours)
    assert_same(run(a, ours, grads), run(b, theirs, grads), rtol=1e-13)


def test_coupled_and_decoupled_decay_are_different_runs_under_adam():
    ours, theirs = tensors(), tensors()
    a = torch.optim.Adam(ours, lr=0.01, weight_decay=0.3)
    b = torch.optim.AdamW(theirs, lr=0.01, weight_decay=0.3)
    grads = gradients(ours)
    last, other = run(a, ours, grads)[-1], run(b, theirs, grads)[-1]
    assert max(np.abs(x - y).max() for x, y in zip(last, other, strict=True)) > 1e-2


@pytest.mark.parametrize("make", [
    lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9, weight_decay=0.3),
    lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9, nesterov=True, weight_decay=0.3),
    lambda p: torch.optim.Adamax(p, lr=0.02, weight_decay=0.3),
    lambda p: torch.optim.Adagrad(p, lr=0.02, weight_decay=0.3),
    lambda p: torch.optim.Adadelta(p, lr=0.5, weight_decay=0.3),
    lambda p: torch.optim.AdamW(p, lr=0.02, weight_decay=0.3, maximize=True),
    lambda p: torch.optim.Adam(p, lr=0.02, weight_decay=0.3, amsgrad=True),
])  # fmt: skip
def test_the_sign_known_before_the_step_is_the_sign_of_the_update(make):
    fast, copying = tensors(), tensors()
    a, b = make(fast), make(copying)
    apply_decay(a, "cautious")
    apply_decay(b, "cautious")._sign = None  # reads the update off a copy of the weights
    grads = gradients(fast)
    assert_same(run(a, fast, grads), run(b, copying, grads), rtol=1e-12)


def test_cautious_decay_works_on_an_optimizer_whose_update_is_not_known_before():
    params = tensors(shapes=((4, 3),))
    start = params[0].detach().clone()
    optimizer = torch.optim.Muon(params, lr=0.02, weight_decay=0.5)
    apply_decay(optimizer, "cautious")
    plain = [torch.nn.Parameter(start.clone())]
    bare = torch.optim.Muon(plain, lr=0.02, weight_decay=0.0)
    grads = gradients(params, steps=1)
    run(optimizer, params, grads)
    run(bare, plain, grads)
    update = start - plain[0].detach()
    expected = plain[0].detach() - 0.01 * start * (update * start >= 0)
    torch.testing.assert_close(params[0].detach(), expected, rtol=1e-12, atol=1e-14)


# torch's compiler imports its own deprecated jit modules.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_cautious_decay_compiled_equals_eager():
    a, b = tensors(), tensors()
    one = torch.optim.AdamW(a, lr=0.01, weight_decay=0.3)
    two = torch.optim.AdamW(b, lr=0.01, weight_decay=0.3)
    apply_decay(one, "cautious")
    apply_decay(two, "cautious", compile=True)
    grads = gradients(a, steps=4)
    assert_same(run(one, a, grads), run(two, b, grads), rtol=1e-13)


def test_the_sphere_keeps_the_norm_of_proven_tensors_and_follows_its_reference():
    params = tensors()
    start = [p.detach().numpy().copy() for p in params]
    optimizer = torch.optim.AdamW(params, lr=0.01, weight_decay=0.0)
    apply_decay(optimizer, "sphere", plan_for(params))
    grads = gradients(params)
    radius = np.linalg.norm(start[0])

    def step(t, i, w, u, moments):
        return reference.on_sphere(w, u, 0.01, radius) if i == 0 else w - 0.01 * u

    assert_same(run(optimizer, params, grads), reference_run(grads, start, step), rtol=1e-12)
    assert float(params[0].detach().norm()) == pytest.approx(radius, rel=1e-14)


def test_the_bound_engages_where_it_is_exceeded_and_follows_its_reference():
    params = tensors()
    start = [p.detach().numpy().copy() for p in params]
    optimizer = torch.optim.AdamW(params, lr=0.05, weight_decay=0.0)
    law = apply_decay(optimizer, "bounded", plan_for(params, proven=(True, True)), factor=0.8, growth=0.05)
    assert law.engaged() == 0
    grads, multipliers = gradients(params, steps=4), [0.0, 0.0]

    def step(t, i, w, u, moments):
        bound = 0.8 * 0.5 * np.sum(start[i] ** 2)
        w, multipliers[i] = reference.bounded(w, u, 0.05, bound, multipliers[i], growth=0.05)
        return w

    assert_same(run(optimizer, params, grads), reference_run(grads, start, step), rtol=1e-11)
    assert law.engaged() == sum(m > 0 for m in multipliers) == 2


def test_norm_constraints_are_refused_with_a_reason_where_invariance_is_not_proven():
    params = tensors()
    optimizer = torch.optim.AdamW(params, lr=0.01)
    with pytest.raises(
        UsageError, match=r"p1 \(linear weight\) is not proven scale-invariant: no \(residual 3.0e-01\)"
    ):
        apply_decay(optimizer, "sphere", plan_for(params), names=["p*"])
    with pytest.raises(UsageError, match="no tensor of this plan is proven"):
        apply_decay(optimizer, "bounded", plan_for(params, proven=(False, False)))
    with pytest.raises(UsageError, match="matches no parameter"):
        apply_decay(optimizer, "sphere", plan_for(params), names=["q*"])
    with pytest.raises(UsageError, match="holds no tensors"):
        apply_decay(optimizer, "sphere", plan_for(params, bind=False))
    zeros = [torch.nn.Parameter(torch.zeros(2, 2))]
    with pytest.raises(InputError, match="all zeros"):
        apply_decay(torch.optim.SGD(zeros, lr=0.1), "sphere", plan_for(zeros, proven=(True,)))


def test_corrected_decay_refuses_groups_that_mix_proven_and_other_tensors():
    params = tensors()
    optimizer = torch.optim.AdamW(params, lr=0.01, weight_decay=0.3)
    with pytest.raises(UsageError, match="mixes them with p1"):
        apply_decay(optimizer, "corrected", plan_for(params))
    assert optimizer.param_groups[0]["weight_decay"] == 0.3
    assert not [k for k in optimizer.param_groups[0] if k.startswith("elltwo")]


def test_two_laws_on_one_group_are_refused_and_removal_restores_the_optimizer():
    params = tensors()
    optimizer = torch.optim.AdamW(params, lr=0.01, weight_decay=0.3)
    before = {k: v for k, v in optimizer.param_groups[0].items() if k != "params"}
    law = apply_decay(optimizer, "toward")
    assert optimizer.param_groups[0]["weight_decay"] == 0.0
    with pytest.raises(UsageError, match="already obeys toward"):
        apply_decay(optimizer, "decoupled")
    law.remove()
    assert {k: v for k, v in optimizer.param_groups[0].items() if k != "params"} == before


@pytest.mark.parametrize("law", ["decoupled", "independent", "scheduled", "toward", "cautious", "stable"])
def test_a_run_interrupted_and_resumed_from_state_dict_equals_one_that_was_not(law):
    options = {"scheduled": {"schedule": "cosine", "steps": STEPS}}.get(law, {})
    whole, params = tensors(), tensors()
    grads = gradients(whole)
    one = torch.optim.AdamW(whole, lr=0.01, weight_decay=0.3)
    apply_decay(one, law, **options)
    full = run(one, whole, grads)
    first = torch.optim.AdamW(params, lr=0.01, weight_decay=0.3)
    apply_decay(first, law, **options)
    run(first, params, grads[:5])
    saved = copy.deepcopy(first.state_dict())
    again = [torch.nn.Parameter(p.detach().clone()) for p in params]
    second = torch.optim.AdamW(again, lr=0.01, weight_decay=0.3)
    apply_decay(second, law, **options)
    second.load_state_dict(saved)
    for x, y in zip(run(second, again, grads[5:]), full[5:], strict=True):
        assert all(np.array_equal(p, q) for p, q in zip(x, y, strict=True))


def test_a_tensor_weight_decay_is_changed_in_place():
    params = tensors()
    optimizer = torch.optim.AdamW(params, lr=0.01, weight_decay=torch.tensor(0.3))
    strength = optimizer.param_groups[0]["weight_decay"]
    apply_decay(optimizer, "scheduled", schedule=lambda t: 0.5**t)
    run(optimizer, params, gradients(params, steps=3))
    assert optimizer.param_groups[0]["weight_decay"] is strength
    assert float(strength) == pytest.approx(0.3 * 0.25)


def test_the_schedule_of_the_rate_times_the_strength_is_what_a_zero_gradient_run_shows():
    params = [torch.nn.Parameter(torch.ones(3, dtype=torch.float64))]
    optimizer = torch.optim.AdamW(params, lr=0.1, weight_decay=0.5)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS)
    apply_decay(optimizer, "scheduled", schedule="linear", steps=STEPS)
    expected = 1.0
    for t in range(STEPS):
        expected *= 1 - optimizer.param_groups[0]["lr"] * 0.5 * (1 - t / STEPS)
        params[0].grad = torch.zeros(3, dtype=torch.float64)
        optimizer.step()
        rate.step()
    assert float(params[0].detach()[0]) == pytest.approx(expected, rel=1e-14)


def test_a_closure_is_evaluated_once_and_its_gradients_are_decayed():
    params, calls = tensors(shapes=((3,),)), []
    start = params[0].detach().clone()
    optimizer = torch.optim.SGD(params, lr=0.1, weight_decay=0.5)
    apply_decay(optimizer, "decoupled")

    def closure():
        calls.append(1)
        optimizer.zero_grad()
        loss = params[0].sum()
        loss.backward()
        return loss

    loss = optimizer.step(closure)
    assert len(calls) == 1
    assert float(loss.detach()) == pytest.approx(float(start.sum()))
    torch.testing.assert_close(params[0].detach(), start * 0.95 - 0.1)


def test_tensors_without_a_gradient_are_not_decayed():
    params = tensors()
    optimizer = torch.optim.AdamW(params, lr=0.1, weight_decay=0.5)
    apply_decay(optimizer, "decoupled")
    kept = params[1].detach().clone()
    params[0].grad = torch.zeros_like(params[0])
    optimizer.step()
    assert torch.equal(params[1], kept)


@pytest.mark.parametrize(
    ("law", "options", "message"),
    [
        ("gentle", {}, "unknown decay law 'gentle'"),
        ("scheduled", {}, "schedule"),
        ("scheduled", {"schedule": "cosine"}, "needs steps"),
        ("scheduled", {"schedule": "zigzag"}, "unknown schedule"),
        ("decoupled", {"colour": 1}, "colour"),
        ("sphere", {"plan": "not a plan"}, "expected a DecayPlan"),
    ],
)
def test_wrong_names_and_options_are_refused_in_one_sentence(law, options, message):
    optimizer = torch.optim.AdamW(tensors(), lr=0.1, weight_decay=0.5)
    with pytest.raises((UsageError, InputError), match=message):
        apply_decay(optimizer, law, **options)


def test_laws_are_refused_where_they_have_no_meaning():
    with pytest.raises(UsageError, match="nothing to act on"):
        apply_decay(torch.optim.AdamW(tensors(), lr=0.1, weight_decay=0.0), "decoupled")
    with pytest.raises(UsageError, match="defined for decoupled optimizers"):
        apply_decay(torch.optim.Adam(tensors(), lr=0.1, weight_decay=0.1), "independent")
    with pytest.raises(UsageError, match="nothing to act on"):
        apply_decay(torch.optim.LBFGS(tensors()), "decoupled")
    with pytest.raises(InputError, match=r"expected a torch\.optim\.Optimizer"):
        apply_decay("adamw", "decoupled")
    optimizer = torch.optim.AdamW(tensors(), lr=0.1, weight_decay=0.5)
    apply_decay(optimizer, "scheduled", schedule=lambda t: float("nan"))
    with pytest.raises(InputError, match="decay schedule returned nan at step 0"):
        run(
            optimizer,
            optimizer.param_groups[0]["params"],
            gradients(optimizer.param_groups[0]["params"], steps=1),
        )


def test_every_law_says_what_it_does():
    assert all(law.__doc__ and law.name for law in LAWS.values())
