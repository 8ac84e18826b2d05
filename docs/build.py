"""Make the documentation: generated pages from the program itself, then every page as HTML under docs/site."""

from __future__ import annotations

import shutil
from pathlib import Path

import markdown

DOCS = Path(__file__).parent
SITE = DOCS / "site"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem }}
:root {{ color-scheme: light dark }}
pre, code {{ font-size: .9em; background: color-mix(in srgb, currentColor 8%, transparent); border-radius: 4px }}
pre {{ padding: .8rem; overflow-x: auto }} code {{ padding: .1em .3em }} pre code {{ padding: 0; background: none }}
table {{ border-collapse: collapse; display: block; overflow-x: auto }}
td, th {{ padding: .3rem .6rem; border-bottom: 1px solid #8886; text-align: left }} img {{ max-width: 100% }}
</style></head><body><main>{body}</main></body></html>
"""


def render(page: Path) -> Path:
    """One page as HTML beside its neighbours; links between pages stay links between pages."""
    text = page.read_text().replace(".md)", ".html)").replace("README.html", "index.html")
    body = markdown.markdown(text, extensions=["tables", "fenced_code", "toc"])
    title = next((line[2:] for line in text.splitlines() if line.startswith("# ")), page.stem)
    name = "index.html" if page.name == "README.md" else f"{page.stem}.html"
    out = SITE / page.relative_to(DOCS).parent / name
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(PAGE.format(title=title, body=body))
    return out


def main() -> None:
    """Render every page and copy the pictures."""
    pages = [p for p in sorted(DOCS.rglob("*.md")) if SITE not in p.parents]
    for page in pages:
        render(page)
    shutil.copytree(DOCS / "pictures", SITE / "pictures", dirs_exist_ok=True)
    print(f"{len(pages)} pages in {SITE}/index.html")


if __name__ == "__main__":
    main()
