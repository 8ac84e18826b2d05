"""``elltwo deblur``: a blurred picture made sharper."""

from __future__ import annotations

from pathlib import Path

import click

from elltwo.cli.console import put, put_json, say
from elltwo.cli.settings import settings
from elltwo.cli.words import paragraph

HELP = """Restore a blurred picture whose blur is known.

\b
  elltwo deblur photo.png --psf gaussian:3
  elltwo deblur photo.png --psf motion:15,30 -o sharp.png --report sharp.html
  elltwo deblur star.tif --psf psf.tif --boundary zero

The blur is gaussian:SIGMA, disk:RADIUS, box:WIDTH, motion:LENGTH,ANGLE (pixels,
degrees), or a picture of a blurred point.
"""


@settings("deblur", HELP)
@click.argument("image")
@click.option("--psf", required=True, metavar="BLUR", help="The blur: a shape with its size, or a picture.")
@click.option("--output", "-o", metavar="FILE", help="Where to (default: NAME-sharp beside the picture).")
@click.option("--report", metavar="FILE.html", help="Where the page goes (default: beside the result).")
@click.option("--rule", default="auto", show_default=True, help="How the strength is chosen.")
@click.option("--noise", type=float, help="Noise as a fraction of full scale, if known.")
@click.option("--boundary", default="reflective", show_default=True, help="What lies beyond the edge.")
@click.option("--quiet", "-q", is_flag=True, help="No messages.")
def command(
    image: str, psf: str, output: str | None, report: str | None, quiet: bool, as_json: bool, rule: str,
    noise: float | None, boundary: str,
) -> None:  # fmt: skip
    """See HELP."""
    from elltwo.cli.commands.fit import check_places
    from elltwo.inverse.deblur_command import deblur_command

    check_places(output, report)
    out, page = (Path(p) if p else None for p in (output, report))
    tell = None if quiet or as_json else say
    done = deblur_command(Path(image), psf, out, page, rule, noise, boundary, tell)
    if as_json:
        put_json(done)
        return
    put("\n".join(paragraph(done["sentence"], "")))
    marks = {"error": "!!", "warning": "! ", "info": "- "}
    for f in done["findings"]:
        put("\n".join(paragraph(f"{marks[f['severity']]} {f['sentence']} {f['remedy']}", "", "   ")))
    if not quiet:
        say(f"picture written to {done['out']}\nreport written to {done['report']}")
