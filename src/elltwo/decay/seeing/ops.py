"""What the tracer knows about operations: names, slots and kinds. Data only, no torch."""

from __future__ import annotations

from typing import Any

# Slots of a call by position; a keyword argument is its own slot.
_LINEAR = ("input", "weight", "bias")
_NORM = ("input", "shape", "scale", "shift")
_FUNCTIONAL_NORM = ("input", "buffer", "buffer", "scale", "shift")
_PLAIN_NORM = ("input", "scale", "shift", "buffer", "buffer")
_ADDED_PRODUCT = ("added", "left", "right")
_ATTENTION = (
    *("query", "key", "value", "", "", "weight", "bias", "token", "token", "", ""),
    *("weight", "bias", "", "", "", "table"),
)
SLOTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("linear", "_linear", "conv1d", "conv2d", "conv3d", "convolution"), _LINEAR),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _LINEAR),
    "bilinear": ("input", "input", "weight", "bias"),
    "deform_conv2d": ("input", "input", "weight", "bias"),
    "embedding": ("index", "rows"),
    "embedding_bag": ("index", "rows"),
    "layer_norm": _NORM,
    "native_layer_norm": _NORM,
    "rms_norm": _NORM,
    "group_norm": _NORM,
    "functional.batch_norm": _FUNCTIONAL_NORM,
    "functional.instance_norm": _FUNCTIONAL_NORM,
    "batch_norm": _PLAIN_NORM,
    "instance_norm": _PLAIN_NORM,
    "prelu": ("input", "gain"),
    **dict.fromkeys(("addmm", "baddbmm", "addbmm", "addmv"), _ADDED_PRODUCT),
    "multi_head_attention_forward": _ATTENTION,
    "scaled_dot_product_attention": ("token", "token", "token", "table"),
    "_weight_norm": ("direction", "norm gain"),
    "_weight_norm_interface": ("direction", "norm gain"),
    "lerp": ("added", "added", "factor"),
    "addcmul": ("added", "factor", "factor"),
    "addcdiv": ("added", "factor", "factor"),
}
# Keyword names of the calls above, where they differ from the slot's name.
KEYWORDS: dict[str, str] = {
    "in_proj_weight": "weight",
    "out_proj_weight": "weight",
    "q_proj_weight": "weight",
    "k_proj_weight": "weight",
    "v_proj_weight": "weight",
    "in_proj_bias": "bias",
    "out_proj_bias": "bias",
    "bias_k": "token",
    "bias_v": "token",
    "attn_mask": "table",
    "mat1": "left",
    "mat2": "right",
}
NORMS = frozenset(
    {
        *("layer_norm", "native_layer_norm", "rms_norm", "group_norm", "batch_norm", "instance_norm"),
        *("functional.batch_norm", "functional.instance_norm", "local_response_norm"),
    }
)
CONVOLUTIONS = frozenset(n for n in SLOTS if "conv" in n)
RECURRENT = frozenset(
    {"lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"}
)
#: ops with a weight slot that may stand in a low-rank path beside a frozen weight
LINEAR_MAPS = frozenset({"linear", "conv1d", "conv2d", "conv3d"})
PRODUCTS = frozenset(
    {
        "matmul",
        "mm",
        "bmm",
        "mv",
        "dot",
        "vdot",
        "inner",
        "einsum",
        "tensordot",
        "chain_matmul",
        "addmm",
        "kron",
    }
    | {"baddbmm", "addbmm", "addmv", "grouped_mm", "_grouped_mm", "multi_dot", "linalg_multi_dot"}
    | {"linalg_matmul", "conv_tbc"}
)
# torch's fused attention, and the place of the weight that makes its output.
ATTENTION = frozenset({"multi_head_attention_forward"})
ATTENTION_OUT = (_ATTENTION.index("weight", 6), "out_proj_weight")
# Products of a left and a right argument.
TWO_SIDED = frozenset({"matmul", "mm", "bmm", "mv", "grouped_mm", "_grouped_mm", "linalg_matmul"})
# The value stays what it was: only its place, type or memory changes.
VIEWS = frozenset(
    {
        *("view", "reshape", "T", "mT", "H", "mH", "t", "transpose", "permute", "swapaxes", "swapdims"),
        *(
            "movedim",
            "moveaxis",
            "to",
            "float",
            "double",
            "half",
            "bfloat16",
            "type",
            "type_as",
            "contiguous",
        ),
        *("clone", "expand", "expand_as", "broadcast_to", "broadcast_tensors", "getitem", "chunk", "split"),
        *(
            "split_with_sizes",
            "tensor_split",
            "unbind",
            "squeeze",
            "unsqueeze",
            "flatten",
            "unflatten",
            "ravel",
        ),
        *("data", "detach", "repeat", "repeat_interleave", "tile", "roll", "flip", "pad", "select", "narrow"),
        *("index_select", "gather", "take", "take_along_dim", "view_as", "reshape_as", "view_as_complex"),
        *("view_as_real", "real", "imag", "cpu", "cuda", "as_strided", "diagonal", "diag", "diag_embed"),
        *("unfold", "fold", "pixel_shuffle", "pixel_unshuffle", "alias", "requires_grad_", "rot90"),
        *("conj", "resolve_conj", "interpolate", "upsample", "constant_pad_nd", "triu", "tril", "as_tensor"),
        *(
            "as_subclass",
            "iter",
            "atleast_2d",
            "atleast_3d",
            "squeeze_copy",
            "grid_sample",
            "channel_shuffle",
        ),
        *(
            "upsample_nearest2d",
            "upsample_bilinear2d",
            "upsample_bicubic2d",
            "masked_select",
            "vsplit",
            "hsplit",
        ),
        *("flatten_dense_tensors", "complex", "mean", "sum", "native_channel_shuffle", "nan_to_num"),
    }
)
# Of these views, only the first argument gives values; a second one lends its shape or type.
LIKE = frozenset({"to", "type_as", "view_as", "reshape_as", "expand_as"})
INDEXING = frozenset(
    {"getitem", "index_select", "gather", "take", "take_along_dim", "interpolate", "upsample"}
)
# Same values up to a factor or a mask: a low-rank path may run through these.
SAME_PATH = frozenset({"dropout", "dropout1d", "dropout2d", "feature_dropout", "alpha_dropout", "identity"})
JOINS = frozenset({"cat", "concat", "concatenate", "stack", "hstack", "vstack", "column_stack"})
FACTORS = frozenset(
    {"mul", "div", "outer", "ger", "float_power", "pow", "xlogy", "fmod", "remainder", "atan2"}
)
SUMS = frozenset({"add", "sub", "logaddexp", "add_relu", "maximum", "minimum", "max", "min", "clamp", "clip"})
PLACES = frozenset(
    {
        *(
            "where",
            "masked_fill",
            "masked_scatter",
            "index_put",
            "scatter",
            "index_copy",
            "index_add",
            "copy",
        ),
        *(
            "setitem",
            "scatter_add",
            "index_fill",
            "cdist",
            "slice_scatter",
            "select_scatter",
            "cosine_similarity",
        ),
        *("pairwise_distance", "fill", "lt", "gt", "le", "ge", "eq", "ne", "bucketize", "searchsorted"),
    }
)
LOGARITHMIC = frozenset(
    {
        "exp",
        "exp2",
        "expm1",
        "softplus",
        "sigmoid",
        "logsigmoid",
        "softmax",
        "log_softmax",
        "hardsigmoid",
        "log",
    }
    | {"log1p", "logit"}
)
SCORES = frozenset({"softmax", "sigmoid", "log_softmax", "softplus"})
CHOICES = frozenset({"topk", "argmax", "sort", "argsort", "multinomial", "gumbel_softmax"})
SPREADS = frozenset(
    {"rsqrt", "sqrt", "std", "norm", "var", "std_mean", "var_mean", "linalg_norm", "linalg_vector_norm"}
    | {"vector_norm", "linalg_matrix_norm", "norm_except_dim"}
)
SPREAD_STEPS = frozenset(
    {"add", "clamp", "clip", "clamp_min", "pow", "reciprocal", "sqrt", "rsqrt", "maximum"}
)
QUIET = frozenset(
    {
        *("shape", "dtype", "device", "size", "dim", "ndim", "numel", "stride", "is_contiguous", "layout"),
        *(
            "requires_grad",
            "is_cuda",
            "is_meta",
            "is_nested",
            "is_sparse",
            "is_quantized",
            "grad_fn",
            "is_leaf",
        ),
        *("storage_offset", "element_size", "is_floating_point", "is_complex", "nelement", "item", "len"),
        *(
            "get_device",
            "is_mkldnn",
            "is_xpu",
            "is_mps",
            "untyped_storage",
            "data_ptr",
            "grad",
            "names",
            "tolist",
        ),
        *(
            "new_zeros",
            "new_ones",
            "new_empty",
            "new_full",
            "zeros_like",
            "ones_like",
            "empty_like",
            "full_like",
        ),
        *(
            "rand_like",
            "randn_like",
            "randint_like",
            "register_hook",
            "_set_grad_enabled",
            "is_tensor",
            "bool",
        ),
        *(
            "result_type",
            "finfo",
            "is_inference",
            "itemsize",
            "nbytes",
            "_version",
            "isnan",
            "isfinite",
            "all",
        ),
    }
)
_SAME = {
    **dict.fromkeys(("truediv", "divide", "true_divide", "floordiv", "floor_divide", "rdiv"), "div"),
    **dict.fromkeys(("multiply", "rmul"), "mul"),
    **dict.fromkeys(("subtract", "rsub"), "sub"),
    **dict.fromkeys(("rmatmul", "imatmul"), "matmul"),
    "radd": "add",
    "rpow": "pow",
    "rtruediv": "div",
    "rfloordiv": "div",
    "ipow": "pow",
    "dropout_": "dropout",
}


def op_name(func: Any) -> str:
    """One name for a torch callable: ``__radd__``, ``add_``, ``torch.add`` are all "add"."""
    name = str(getattr(func, "__name__", func))
    if name in ("__get__", "__set__"):
        return str(getattr(getattr(func, "__self__", None), "__name__", name))
    if name.startswith("__") and name.endswith("__"):
        name = name.strip("_")
        if name.startswith("i") and name[1:] in (
            "add",
            "sub",
            "mul",
            "div",
            "truediv",
            "floordiv",
            "and",
            "or",
        ):
            name = name[1:]
    elif name.endswith("_") and name != "requires_grad_":
        name = name.rstrip("_")
    if name in ("batch_norm", "instance_norm") and "functional" in str(getattr(func, "__module__", "")):
        return f"functional.{name}"
    return _SAME.get(name, name)


def slot_of(op: str, place: int | str) -> str:
    """The slot that a positional (int) or keyword (str) argument fills."""
    if isinstance(place, str):
        if op in NORMS:
            return {"weight": "scale", "bias": "shift"}.get(place, place)
        if op in ("embedding", "embedding_bag"):
            return {"weight": "rows", "input": "index"}.get(place, place)
        return KEYWORDS.get(place, place)
    names = SLOTS.get(op, ())
    return names[place] if place < len(names) else ""
