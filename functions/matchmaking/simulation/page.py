"""The report's page: its frame and its style. One file, nothing loaded from anywhere; light, dark and paper."""

from html import escape

STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5b6575; --line: #d9dee6; --ground: #ffffff; --card: #f5f7fa;
  --a: #2563c9; --b: #c2570c; --s1: #9ec1f2; --s2: #5a93e0; --s3: #2563c9; --s4: #123a80; --good: #14713a; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --soft: #9aa5b5; --line: #333c4a; --ground: #12161d; --card: #1b212b;
  --a: #6ea4f5; --b: #f0954d; --s1: #2f5f9f; --s2: #4d86d6; --s3: #83b3f7; --s4: #cfe2ff; --good: #6cd394; --bad: #ff8f86; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 28px 24px 60px; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 19px; margin: 38px 0 4px; } h3 { font-size: 15px; margin: 0 0 6px; }
p { margin: 4px 0 12px; max-width: 78ch; } .soft { color: var(--soft); }
code { font: 13px ui-monospace, "DejaVu Sans Mono", monospace; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(172px, 1fr)); gap: 10px; margin: 16px 0; }
.figure { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 12px; }
.figure b { display: block; font-size: 23px; line-height: 1.25; font-variant-numeric: tabular-nums; }
.figure small { color: var(--soft); display: block; line-height: 1.35; }
.grid { stroke: var(--line); stroke-width: 1; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(460px, 100%), 1fr)); gap: 18px 26px; }
.plot { break-inside: avoid; min-width: 0; } .plot > svg { width: 100%; height: auto; display: block; }
.plot p { font-size: 13.5px; margin: 0 0 4px; }
svg text { fill: var(--soft); font-size: 12px; } .tick { font-variant-numeric: tabular-nums; }
.end { text-anchor: end; } .mid { text-anchor: middle; } .label { font-style: italic; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; } .dashed { stroke-dasharray: 6 5; }
.line.s1 { stroke: var(--s1); } .line.s2 { stroke: var(--s2); } .line.s3 { stroke: var(--s3); } .line.s4 { stroke: var(--s4); }
.line.a { stroke: var(--a); } .line.b { stroke: var(--b); } .fill.a { fill: var(--a); } .fill.b { fill: var(--b); }
.legend { font-size: 13px; color: var(--soft); padding-left: 52px; } .key { margin-right: 16px; white-space: nowrap; }
.key svg { vertical-align: middle; margin-right: 5px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; margin: 8px 0 14px; min-width: 50%; }
th, td { padding: 5px 12px; border-bottom: 1px solid var(--line); text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th:first-child, td:first-child, .text2 :is(th, td):nth-child(2), .text3 :is(th, td):not(:first-child) { text-align: left; }
.text3 td { white-space: normal; overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 600; }
td.heat { background: color-mix(in srgb, var(--a) calc(var(--h) * 55%), transparent); }
td small { color: var(--soft); margin-left: 6px; }
.better, .figure .better { color: var(--good); } .worse, .figure .worse { color: var(--bad); } .equal { color: var(--soft); }
table .better::after { content: " ✓"; } table .worse::after { content: " ✗"; }
.bar { display: inline-block; height: 11px; border-radius: 2px; background: var(--a); vertical-align: baseline; margin-right: 8px; }
.bar.b { background: var(--b); } .swatch { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 6px; }
.swatch.a { background: var(--a); } .swatch.b { background: var(--b); }
ul { margin: 4px 0 12px; padding-left: 20px; max-width: 90ch; }
@media print { :root { color-scheme: light; } body { max-width: none; padding: 0; font-size: 11pt; } h2 { break-after: avoid; }
  section, .figure, table { break-inside: avoid; } * { -webkit-print-color-adjust: exact; print-color-adjust: exact; } }
"""


def page(title: str, body: str) -> str:
    """A whole document."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def section(heading: str, introduction: str, body: str) -> str:
    """A headed part of the page; the introduction is a sentence or two."""
    return f'<section>\n<h2>{escape(heading)}</h2>\n<p class="soft">{escape(introduction)}</p>\n{body}\n</section>\n'


def plot(heading: str, says: str, picture: str) -> str:
    """A picture with what it shows and how to read it."""
    return f'<div class="plot"><h3>{escape(heading)}</h3><p class="soft">{escape(says)}</p>{picture}</div>\n'


def table(head: list[str], rows: list[list[str]], left: int = 1) -> str:
    """A table; cells are HTML (`<td>…`) or plain text, which is escaped; the first `left` columns are text, the others numbers."""
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join(
        "<tr>" + "".join(cell if cell.startswith("<td") else f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows
    )
    return f'<div class="scroll"><table class="text{left}"><thead><tr>{cells}</tr></thead><tbody>\n{lines}</tbody></table></div>\n'
