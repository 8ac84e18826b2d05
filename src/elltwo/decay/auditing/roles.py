"""Does what each tensor gets fit what it does in the model?"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from elltwo.decay.auditing.entries import Setup, count, names
from elltwo.facts.finding import Finding

_INVARIANT = ("proven", "approximate")
_CODES = {
    "bias": "decayed-bias",
    "recurrent bias": "decayed-bias",
    "norm scale": "decayed-norm",
    "norm shift": "decayed-norm",
    "gain": "decayed-gain",
    "weight-norm gain": "decayed-gain",
    "temperature": "decayed-gain",
    "log-parameter": "decayed-log-parameter",
    "table": "decayed-table",
}
_HARM = {
    "decayed-bias": "shrinking a shift bounds no slope and biases the function towards the origin",
    "decayed-norm": "norm scales live around 1 and shifts are free: decay pulls both to 0",
    "decayed-gain": "gains live around a value that is not 0: decay pulls them to 0",
    "decayed-log-parameter": "0 is no neutral value behind exp, softplus or sigmoid",
    "decayed-table": "a table is added, not multiplied: decay fades positions or tokens out",
}


def spared_roles_decayed(setup: Setup) -> Iterator[Finding]:
    """Biases, norm parameters, gains, log-parameters and tables that decay."""
    found: dict[str, list[str]] = {}
    for entry, row in setup.known:
        code = _CODES.get(row.role)
        if code and entry.weight_decay > 0 and not row.dead:
            found.setdefault(code, []).append(entry.name or "")
    for code, hit in found.items():
        yield Finding(
            code,
            "warning",
            len(hit),
            0,
            f"Decayed, though {_HARM[code]}: {count(hit)}, {names(hit)}.",
            "Use plan.groups(...), or set weight_decay=0 in their group.",
        )


def matmul_skipped(setup: Setup) -> Iterator[Finding]:
    """Weights that multiply their input and get no decay while others do."""
    if not any(e.weight_decay > 0 for e in setup.entries):
        yield Finding(
            "no-decay-at-all",
            "info",
            0,
            None,
            "No parameter group has a weight decay above 0.",
            "If this is not meant, note that Adam and SGD default to weight_decay=0.",
        )
        return
    skipped = [(e, r) for e, r in setup.known if r.multiplicative and e.weight_decay == 0 and not r.dead]
    bounded = [e.name or "" for e, r in skipped if r.scale_invariant not in _INVARIANT]
    invariant = [e.name or "" for e, r in skipped if r.scale_invariant in _INVARIANT]
    if bounded:
        yield Finding(
            "matmul-skipped",
            "warning",
            len(bounded),
            0,
            f"Not decayed, though they multiply an input: {count(bounded, 'weight')}, {names(bounded)}.",
            "Use plan.groups(...), which finds weights by what they do, also in fused and custom layers.",
        )
    if invariant:
        yield Finding(
            "invariant-skipped",
            "info",
            len(invariant),
            0,
            f"Not decayed: {count(invariant, 'scale-invariant weight')}, {names(invariant)}; the norm will grow and "
            "the effective learning rate fall.",
            "Fine if meant; else decay them to hold the effective learning rate.",
        )


def invariant_decayed(setup: Setup) -> Iterator[Finding]:
    """Where decay is only a control of the learning rate."""
    hit = [
        e.name or ""
        for e, r in setup.known
        if r.multiplicative and r.scale_invariant in _INVARIANT and e.weight_decay > 0
    ]
    if hit:
        yield Finding(
            "learning-rate-control",
            "info",
            len(hit),
            None,
            f"Decayed: {count(hit, 'scale-invariant weight')}, {names(hit)}; there, decay only sets the effective "
            "learning rate.",
            "Tune weight_decay and lr together for them: only their product matters in the long run.",
        )


def listed_but_decayed(setup: Setup) -> Iterator[Finding]:
    """model.no_weight_decay() names that decay, as happens when a wrapper hides the list."""
    hand = getattr(setup.core, "no_weight_decay", None)
    listed = set(hand()) if callable(hand) else set()
    decayed = [e.name or "" for e, _ in setup.known if e.weight_decay > 0]
    hit = [n for n in decayed if any(fnmatchcase(n, pattern) for pattern in listed)]
    if hit:
        wrapped = setup.model is not setup.core
        yield Finding(
            "hidden-list",
            "warning",
            len(hit),
            0,
            f"{type(setup.core).__name__}.no_weight_decay() lists {names(hit)}, which decay"
            + (f": the list is hidden by the wrapper {type(setup.model).__name__}." if wrapped else "."),
            "Build the groups before wrapping, or from a plan, which holds by name through wrappers.",
        )


def embeddings_decayed(setup: Setup) -> Iterator[Finding]:
    """Lookup tables that decay: rows absent from a batch only shrink."""
    hit = [e.name or "" for e, r in setup.known if r.role == "embedding" and e.weight_decay > 0]
    if hit:
        yield Finding(
            "decayed-embedding",
            "info",
            len(hit),
            0,
            f"Decayed: {count(hit, 'embedding table')}, {names(hit)}; rows that a batch does not contain only shrink.",
            "A choice: nanoGPT decays them, minGPT does not.",
        )


def adapters_decayed(setup: Setup) -> Iterator[Finding]:
    """LoRA: decay pulls to the base model."""
    hit = [e.name or "" for e, r in setup.known if r.role == "adapter" and e.weight_decay > 0]
    if hit:
        yield Finding(
            "decayed-adapter",
            "info",
            len(hit),
            None,
            f"Decayed: {count(hit, 'low-rank adapter tensor')}, {names(hit)}; this pulls the model back to its base.",
            "Keep it to stay near the base model; set 0 to let the adapter move freely.",
        )


def unknown_roles(setup: Setup) -> Iterator[Finding]:
    """What the audit could not judge."""
    hit = [e.name or "" for e, r in setup.known if r.role == "unclassified" and e.weight_decay > 0]
    if hit:
        yield Finding(
            "unclassified",
            "info",
            len(hit),
            0,
            f"Decayed, though used by operations that the tracer does not know: {count(hit)}, {names(hit)}.",
            "Look at them; an override in the plan records your decision.",
        )


ROLE_CHECKS = (
    spared_roles_decayed,
    matmul_skipped,
    invariant_decayed,
    listed_but_decayed,
    embeddings_decayed,
    adapters_decayed,
    unknown_roles,
)
