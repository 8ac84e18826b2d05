"""Watch one forward pass and note which operation consumes each parameter, and in which slot.

No name of any parameter or module is looked at. A parameter is followed through views, casts and
arithmetic among parameters until it meets data from the batch; the operation and the slot where that
happens is its *use*.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import count
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from elltwo.decay.seeing import ops
from elltwo.decay.seeing.marks import (
    NONE,
    Mark,
    Operand,
    Use,
    all_pure,
    flat,
    is_vector,
    leaves_of,
    loose_slot,
    merged,
    out_axis,
    summed_places,
    tensors_of,
)
from elltwo.decay.seeing.slots import role_in_slot


class Tracer(TorchFunctionMode):
    """The mode under which one forward pass is watched.

    After the pass ``uses`` maps each parameter's id to its uses; see :func:`elltwo.decay.seeing.roles.settle`.
    """

    def __init__(self, parameters: Iterable[torch.Tensor], batch: Iterable[torch.Tensor]) -> None:
        super().__init__()
        self.parameters = {id(p): p for p in parameters}
        self.uses: dict[int, list[Use]] = {i: [] for i in self.parameters}
        self.touched: set[int] = set()
        self._marks: dict[int, tuple[Callable[[], Any], Mark]] = {}
        self._sources = count(1)
        for tensor in batch:
            self._set(tensor, self._fresh())

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        op = ops.op_name(func)
        if op in ops.QUIET:
            return func(*args, **kwargs)
        found = [(place, t) for place, t in tensors_of(args, kwargs) if place == 0 or op not in ops.LIKE]
        operands = [self._operand(place, t) for place, t in found]
        out = func(*args, **kwargs)
        if op == "one_hot" or any(o.mark for o in operands):
            mark = self._see(op, operands)
            if op == "sum" and operands:
                self._contract(operands[0], summed_places(operands[0].tensor, args, kwargs))
            picks = op in ops.CHOICES or any(o.mark and "chosen" in o.mark.tags for o in operands)
            for tensor in flat(args[0] if op in ("setitem", "copy") and args else out):
                if id(tensor) not in self.parameters:
                    index = picks and not tensor.is_floating_point()
                    self._set(tensor, replace(mark, tags=mark.tags | {"chosen"}) if index else mark)
        return out

    def maker_of(self, tensor: torch.Tensor) -> int | None:
        """The weight whose product ``tensor`` is, up to views, bias and scaling."""
        mark = self._get(tensor)
        return mark.maker if mark else None

    def use(self, leaf: int, role: str, op: str, slot: str, axis: int = 0) -> None:
        """Note one use."""
        self.uses[leaf].append(Use(role, op, slot, axis))

    # -- marks -------------------------------------------------------------------------------

    def _set(self, tensor: torch.Tensor, mark: Mark) -> None:
        self._marks[id(tensor)] = (weakref.ref(tensor), mark)

    def _get(self, tensor: torch.Tensor) -> Mark | None:
        if id(tensor) in self.parameters:
            return Mark(leaves={id(tensor): NONE})
        held = self._marks.get(id(tensor))
        return held[1] if held and held[0]() is tensor else None

    def _operand(self, place: int | str, tensor: torch.Tensor) -> Operand:
        mark = self._get(tensor)
        if mark:
            self.touched.update(mark.leaves)
        return Operand(tensor, place, mark)

    def _fresh(self, **known: Any) -> Mark:
        return Mark(source=next(self._sources), **known)

    # -- one operation -----------------------------------------------------------------------

    def _see(self, op: str, operands: list[Operand]) -> Mark:
        marked = [o for o in operands if o.mark]
        if op == "one_hot":
            return self._fresh(tags=frozenset({"one-hot"} if marked else {"one-hot", "fixed"}))
        if op in ops.PRODUCTS and (rows := self._looked_up(op, marked)):
            return rows
        if op in ops.RECURRENT:
            return self._recurrent(op, operands)
        if op in ops.SLOTS and not (op in ops.NORMS and all_pure(operands)) and op not in ops.PRODUCTS:
            return self._slotted(op, operands)
        if all_pure(operands):
            return self._derive(
                op, marked, indexed=op in ops.INDEXING and (op != "getitem" or len(operands) > 1)
            )
        if op in ops.VIEWS and len([o for o in marked if o.tensor.is_floating_point()]) <= 1:
            return self._moved(op, marked)
        return self._mixed(op, operands)

    def _contract(self, o: Operand, axes: tuple[int, ...]) -> None:
        """(x * w).sum(-1) is a product with w, as attention vectors of graph networks are written."""
        for leaf in o.mark.scaled if o.mark else ():
            shape = self.parameters[leaf].shape
            if any(-a <= len(shape) and shape[a] == o.tensor.shape[a] > 1 for a in axes):
                self.use(leaf, "matmul weight", "sum", "factor of a product")

    def _looked_up(self, op: str, marked: list[Operand]) -> Mark | None:
        """A one-hot matrix times a table reads rows of it (unless a router made it: then experts are mixed)."""
        picks = [o.mark.tags for o in marked if o.mark and "one-hot" in o.mark.tags]
        if len(picks) != 1 or len(marked) != 2 or "chosen" in picks[0]:
            return None
        for o in marked:
            for leaf, flags in leaves_of(o).items():
                role = role_in_slot(op, "rows", flags, self.parameters[leaf], fixed_index="fixed" in picks[0])
                self.use(leaf, role, op, "rows")
        return self._fresh()

    def _recurrent(self, op: str, operands: list[Operand]) -> Mark:
        # A packed sequence brings its batch sizes as the second argument.
        packed = any(o.place == 1 and not o.tensor.is_floating_point() for o in operands)
        for o in operands:
            for leaf in o.mark.leaves if o.mark else ():
                if o.place in (2 if packed else 1, "hx"):  # where the state starts: added, as positions are
                    self.use(leaf, "table", op, "initial state")
                    continue
                role = "recurrent weight" if self.parameters[leaf].dim() > 1 else "recurrent bias"
                self.use(leaf, role, op, "weight" if "weight" in role else "bias")
        return self._fresh()

    def _slotted(self, op: str, operands: list[Operand]) -> Mark:
        made = self._fresh(tags=_norm_tags(op, operands))
        if op == "_weight_norm" or op == "_weight_norm_interface":
            parts = ("direction", "norm gain")
            return Mark({k: v | {parts[i]} for i, o in enumerate(operands) for k, v in leaves_of(o).items()})
        fixed = not any(ops.slot_of(op, o.place) == "index" and o.mark for o in operands)
        for o in operands:
            slot = ops.slot_of(op, o.place)
            for leaf, flags in leaves_of(o).items():
                tensor = self.parameters[leaf]
                role = role_in_slot(op, slot, flags, tensor, fixed_index=fixed)
                self.use(leaf, role, op, slot, out_axis(op, slot, o.tensor, tensor))
                if slot == "weight" and not (op in ops.ATTENTION and o.place not in ops.ATTENTION_OUT):
                    made = replace(made, maker=leaf)
            for leaf in o.mark.scaled if o.mark and slot == "weight" else ():
                if not is_vector(self.parameters[leaf]):  # a kernel modulated by the batch
                    self.use(leaf, role_in_slot(op, slot, NONE, self.parameters[leaf]), op, slot)
        given = operands[0].mark
        return _further(made, given) if op in ops.LINEAR_MAPS and given else made

    def _derive(self, op: str, marked: list[Operand], indexed: bool) -> Mark:
        """Arithmetic among parameters and constants: merge the leaves, remember what happened."""
        if op in ops.VIEWS:
            marked = marked[:1]  # w.reshape_as(v) is made of w alone
        spread = [frozenset(leaves_of(o)) for o in marked if o.mark and "spread" in o.mark.tags]
        widest = max(o.tensor.numel() for o in marked)
        leaves: dict[int, frozenset[str]] = {}
        for o in marked:
            for leaf, flags in leaves_of(o).items():
                new = flags | self._flags(op, leaf, o, marked, spread, widest)
                new = new | {"indexed"} if indexed else new
                leaves[leaf] = merged(leaves[leaf], new) if leaf in leaves else new
        if op in ("add", "sub"):
            self._weight_space_adapter(leaves)
        tags = (
            {t for o in marked if o.mark for t in o.mark.tags}
            if op in ops.SPREAD_STEPS | ops.VIEWS
            else set()
        )
        return Mark(leaves, frozenset(tags | ({"spread"} if op in ops.SPREADS or op == "dot" else set())))

    def _flags(
        self, op: str, leaf: int, o: Operand, marked: list[Operand], spread: list[frozenset[int]], widest: int
    ) -> frozenset[str]:
        if op in ops.LOGARITHMIC:
            return frozenset({"log"})
        if op == "normalize" or op in ops.NORMS:
            return frozenset({"direction" if o.place in (0, "input") else "norm gain"})
        if op in ops.PRODUCTS:
            thin = {is_vector(self.parameters[i]) for m in marked for i in leaves_of(m)}
            alone = is_vector(self.parameters[leaf]) and False in thin
            return frozenset({"product", "vector"} if alone else {"product"})
        if op in ("div", "mul") and o.mark and "spread" not in o.mark.tags and any(leaf in s for s in spread):
            return frozenset({"direction"})
        if op == "mul" and o.tensor.numel() < widest and len(marked) > 1 and not (o.mark and o.mark.tags):
            return frozenset({"norm gain"})
        return NONE

    def _weight_space_adapter(self, leaves: dict[int, frozenset[str]]) -> None:
        """W + B A with W frozen, as parametrizations write it."""
        frozen = any(not self.parameters[i].requires_grad and "product" not in f for i, f in leaves.items())
        for leaf, flags in leaves.items():
            if frozen and "product" in flags:
                leaves[leaf] = flags | {"adapter"}

    def _moved(self, op: str, marked: list[Operand]) -> Mark:
        data = next((o for o in marked if o.tensor.is_floating_point()), marked[0])
        assert data.mark is not None
        if data.mark.pure:  # a table read at places that depend on the batch
            if any(o.mark and "chosen" in o.mark.tags for o in marked):  # a router's choice: still a weight
                return Mark({leaf: flags | {"chosen"} for leaf, flags in data.mark.leaves.items()})
            for leaf, flags in data.mark.leaves.items():
                self.use(leaf, "log-parameter" if "log" in flags else "embedding", op, "rows")
            return self._fresh()
        return data.mark

    def _mixed(self, op: str, operands: list[Operand]) -> Mark:
        """Parameters (or none) meet data from the batch in an operation without fixed slots."""
        live = [o for o in operands if o.mark and not o.mark.pure]
        data = live[0].mark if live else self._fresh()
        assert data is not None
        tags = frozenset(t for o in live if o.mark for t in o.mark.tags)
        maker = None
        scaled = {leaf for o in live if o.mark and op in ("mul", "div") for leaf in o.mark.scaled}
        for o in operands:
            slot = ops.slot_of(op, o.place) or loose_slot(op, o.place)
            for leaf, flags in leaves_of(o).items():
                tensor = self.parameters[leaf]
                role = role_in_slot(op, slot, flags, tensor, tags=tags)
                self.use(leaf, role, op, slot, out_axis(op, slot, o.tensor, tensor))
                if op in ops.PRODUCTS and slot in ("left", "right", "factor of a product"):
                    maker = leaf
                if op == "mul":
                    scaled.add(leaf)
        made = self._after(op, data, live, operands, tags, maker)
        return replace(made, scaled=frozenset(scaled)) if scaled else made

    def _after(
        self,
        op: str,
        data: Mark,
        live: list[Operand],
        operands: list[Operand],
        tags: frozenset[str],
        maker: Any,
    ) -> Mark:
        """The mark of the result."""
        if op in ops.PRODUCTS:
            made = self._fresh(maker=maker, tags=frozenset({"scores"}) if maker is None else NONE)
            return _further(made, data) if len(live) == 1 else made
        if op in ops.CHOICES:
            if data.maker is not None:
                self.use(data.maker, "router", op, "scores")
            return self._fresh()
        if len(live) == 1:
            met = any(leaves_of(o) for o in operands)
            kept = _tags_after(op, tags & {"normalized", "scaled", "scores", "spread"}, met)
            if op in ops.SAME_PATH or (op in ("mul", "div") and not met):
                return replace(data, tags=kept)
            if op in ops.SPREADS or ("spread" in tags and op in ops.SPREAD_STEPS):
                return self._fresh(tags=frozenset({"spread"}))
            if op == "normalize":
                return self._fresh(tags=frozenset({"normalized"}))
            if op in ops.SCORES or op in ("add", "mul", "sub", "div"):
                return self._fresh(maker=data.maker, tags=kept - {"spread"} if op not in ops.SCORES else NONE)
            return self._fresh()
        if op in ("mul", "div") and "spread" in tags:
            return self._fresh(tags=frozenset({"normalized"}))
        if op in ("add", "sub") and len(live) == 2:
            return self._added(live)
        return self._fresh(tags=tags & {"scores"} if op in ops.SUMS else NONE)

    def _added(self, live: list[Operand]) -> Mark:
        """W x + B A x with W frozen: A and B are an adapter; else just a sum."""
        long, short = sorted((o.mark for o in live if o.mark), key=lambda m: -len(m.path))
        parallel = len(long.path) == 2 and len(short.path) == 1 and long.root == short.root
        if parallel and not self.parameters[short.path[0]].requires_grad:
            for leaf in long.path:
                self.use(leaf, "adapter", "add", "low-rank path")
            return short
        return self._fresh()


def _further(made: Mark, given: Mark) -> Mark:
    """``made`` with its weight as the next of the linear maps that ``given`` went through."""
    if made.maker is None:
        return made
    start = given.root if given.path else given.source
    return replace(made, path=(*given.path, made.maker), root=start)


def _norm_tags(op: str, operands: list[Operand]) -> frozenset[str]:
    """What a norm leaves behind: "normalized" without parameters of its own, "scaled" with a scale alone."""
    if op not in ops.NORMS:
        return NONE
    own = {ops.slot_of(op, o.place) for o in operands if leaves_of(o)}
    return NONE if "shift" in own else frozenset({"scaled" if "scale" in own else "normalized"})


def _tags_after(op: str, tags: frozenset[str], met: bool) -> frozenset[str]:
    """A norm written by hand takes one scale and one shift; what multiplies or adds after them is no norm's."""
    if not met or not tags & {"normalized", "scaled"}:
        return tags
    plain = tags - {"normalized", "scaled"}
    return plain | {"scaled"} if op in ("mul", "div") and "normalized" in tags else plain
