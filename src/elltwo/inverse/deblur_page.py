"""The report of a deblurring: one HTML file that loads nothing."""

from __future__ import annotations

import base64
import hashlib
from html import escape

import numpy as np

from elltwo.inverse.deblur import Deblurred
from elltwo.inverse.pictures import Picture, preview

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2430;--paper:#fff;--soft:#5b6675;--line:#d9dee5;
--mark:#0b6bcb;--warn:#9a5b00}
@media (prefers-color-scheme:dark){:root{--ink:#e6eaf0;--paper:#14181d;--soft:#9aa6b5;
--line:#2c343e;--mark:#6db3ff;--warn:#ffb84d}}
body{margin:0 auto;padding:1.5rem 1rem 3rem;max-width:76rem;font:16px/1.5 system-ui,sans-serif;
color:var(--ink);background:var(--paper)}
h1{font-size:1.5rem;margin:0 0 .3rem}h2{font-size:1.1rem;margin:2rem 0 .6rem}p{margin:.4rem 0;max-width:60rem}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(17rem,1fr));gap:1rem}
figure{margin:0}figure img{width:100%;height:auto;border:1px solid var(--line);border-radius:4px}
figcaption,.soft{color:var(--soft);font-size:.9rem}
table{border-collapse:collapse}
th,td{text-align:left;padding:.25rem 1.2rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:500;color:var(--soft)}td{font-variant-numeric:tabular-nums}.warn{color:var(--warn)}
svg{max-width:44rem;width:100%;height:auto}svg text{fill:var(--soft);font-size:13px}
.curve{fill:none;stroke:var(--mark);stroke-width:2}.axis{stroke:var(--line)}.pick{fill:var(--mark)}
code{font-size:.9rem;overflow-wrap:anywhere}@media print{body{max-width:none}}
"""


def deblur_page(
    name: str, psf: str, boundary: str, before: Picture, after: Picture, result: Deblurred, command: str
) -> str:
    """Return the page."""
    style = "'sha256-" + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode() + "'"
    policy = f"default-src 'none'; style-src {style}; img-src data:; base-uri 'none'; form-action 'none'"
    sections = [
        "<h2>Before and after</h2>",
        f'<div class="pair">{_figure(before, "As given")}{_figure(after, "Deblurred")}</div>',
        "<h2>How strongly, and why</h2>",
        _table(psf, boundary, result),
        _curve(result),
        _findings(result),
        f"<h2>To reproduce</h2><p><code>{escape(command)}</code></p>",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{escape(name)} deblurred</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{escape(name)}, deblurred</h1><p>{escape(_sentence(result))}</p>{''.join(sections)}</main></body></html>"
    )


def _sentence(result: Deblurred) -> str:
    rule = result.channels[0].selection.rule
    noise = 100 * float(np.mean(result.noise))
    return (
        f"The blur was undone as far as the noise allows: strength λ = {result.lam:.4g}, chosen from the picture "
        f"itself by {rule}; the noise is about {noise:.2g} % of full scale."
    )


def _figure(picture: Picture, caption: str) -> str:
    data = base64.b64encode(preview(picture)).decode()
    height, width = picture.shape
    alt = f"{caption}, {width} by {height} pixels"
    return f'<figure><img alt="{alt}" src="data:image/jpeg;base64,{data}"><figcaption>{alt}</figcaption></figure>'


def _table(psf: str, boundary: str, result: Deblurred) -> str:
    first = result.channels[0]
    rows = [
        ("Point-spread function", psf),
        ("Beyond the border", boundary),
        ("λ (multiplies the Laplacian)", f"{result.lam:.4g}"),
        ("α = λ²", f"{result.lam**2:.4g}"),
        ("λ each channel would choose", ", ".join(f"{c.lam:.4g}" for c in result.channels)),
        ("Other rules would choose λ", _others(result)),
        ("Noise per pixel, of full scale", ", ".join(f"{100 * v:.2g} %" for v in result.noise)),
        ("Degrees of freedom", f"{first.df:.0f} of {first.coef.size} pixels"),
        ("Made by", f"{first.method}: {first.reason}"),
    ]
    body = "".join(f'<tr><th scope="row">{escape(k)}</th><td>{escape(v)}</td></tr>' for k, v in rows)
    return f"<table>{body}</table>"


def _others(result: Deblurred) -> str:
    first = result.channels[0].selection
    pairs = [(name, float(np.sqrt(a[0]))) for name, a in first.choices.items() if name != first.rule]
    return ", ".join(f"{name} {value:.3g}" for name, value in pairs) or "none was asked"


def _curve(result: Deblurred) -> str:
    """The score of the rule that chose, over λ, as a small drawing."""
    selection = result.channels[0].selection
    curve = selection.curves.get(selection.rule)
    if curve is None:
        return ""
    score = curve.score[:, 0]
    good = np.isfinite(score) & (score > 0)
    x, y = np.log10(curve.alphas[good]) / 2, np.log10(score[good])
    if x.size < 3 or x[-1] == x[0] or np.ptp(y) == 0:
        return ""
    X, Y = 50 + 600 * (x - x[0]) / (x[-1] - x[0]), 20 + 180 * (y.max() - y) / np.ptp(y)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(X, Y, strict=True))
    at = np.log10(result.lam) if 0 < result.lam < np.inf else x[0]
    cx = float(np.interp(at, x, X))
    cy = float(np.interp(at, x, Y))
    ends = [
        f'<text x="{p}" y="222" text-anchor="{anchor}">λ = {10**v:.0e}</text>'
        for p, v, anchor in ((50, x[0], "start"), (650, x[-1], "end"))
    ]
    title = f"Score of {selection.rule} over λ, lowest at the choice"
    return (
        f'<h2>{escape(title)}</h2><svg viewBox="0 0 700 235" role="img" aria-label="{escape(title)}">'
        f'<line class="axis" x1="50" y1="205" x2="650" y2="205"/><polyline class="curve" points="{points}"/>'
        f'<circle class="pick" cx="{cx:.1f}" cy="{cy:.1f}" r="5"/>{"".join(ends)}</svg>'
    )


def _findings(result: Deblurred) -> str:
    seen = {f.sentence: f for channel in result.channels for f in channel.findings}
    if not seen:
        return ""
    items = "".join(f'<li class="warn">{escape(f.sentence)} {escape(f.remedy)}</li>' for f in seen.values())
    return f"<h2>Worth a look</h2><ul>{items}</ul>"
