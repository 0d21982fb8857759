import type { Curve } from './scenarios';
import { LIMIT, WINDOW_MS } from './simulation';

const WIDTH = 1080;
const LEFT = 70;
const RIGHT = 24;
const HEIGHT = 110;
const GAP = 46;
const TOP = 84;
/** One hour shows every shape; later hours repeat it. */
const SHOWN_MS = 3_600_000;

/** Draws the requests per ten seconds over an hour as a self-contained SVG, with the limit and one panel per scenario. */
export function fleetChart(title: string, curves: readonly Curve[]): string {
  const height = TOP + curves.length * (HEIGHT + GAP) + 10;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title">
<title id="title">${title}</title>
<style>${STYLE}</style>
<rect class="page" width="${WIDTH}" height="${height}" rx="10"/>
<text class="title" x="${LEFT}" y="36">${title}</text>
<text x="${LEFT}" y="56">requests to the vault per ten seconds over an hour; dashed: the limit of ${LIMIT.toLocaleString('en')}</text>
${curves.map((curve, index) => panel(curve, TOP + index * (HEIGHT + GAP))).join('\n')}
</svg>
`;
}

function panel({ scenario, perWindow, peak }: Curve, top: number): string {
  const ceiling = Math.max(peak, LIMIT) * 1.05;
  const shown = perWindow.slice(0, SHOWN_MS / WINDOW_MS);
  const x = (index: number) => (LEFT + (index / (SHOWN_MS / WINDOW_MS)) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const y = (requests: number) => (top + HEIGHT - (requests / ceiling) * HEIGHT).toFixed(1);
  const line = shown
    .map((requests, index) => `${index === 0 ? 'M' : 'L'}${x(index)} ${y(requests)}`)
    .join('');
  const verdict = `peak ${peak.toLocaleString('en')}`;
  return `<text class="heading" x="${LEFT}" y="${top - 8}">${scenario.name}</text>
<text class="${peak > LIMIT ? 'bad' : 'good'}" x="${WIDTH - RIGHT}" y="${top - 8}">${verdict}</text>
<path class="grid" d="M${LEFT} ${top + HEIGHT}H${WIDTH - RIGHT}"/>
<path class="limit" d="M${LEFT} ${y(LIMIT)}H${WIDTH - RIGHT}"/>
<text class="end" x="${LEFT - 8}" y="${Number(y(LIMIT)) + 4}">${LIMIT.toLocaleString('en')}</text>
<path class="area" d="${line}L${x(shown.length - 1)} ${y(0)}L${x(0)} ${y(0)}Z"/>
<path class="line" d="${line}"/>`;
}

const STYLE = `
text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #475569; }
.page { fill: #ffffff; }
.title { font-size: 18px; font-weight: 600; fill: #0f172a; }
.heading { font-size: 14px; font-weight: 600; fill: #0f172a; }
.good { font-weight: 600; fill: #15803d; text-anchor: end; }
.bad { font-weight: 600; fill: #dc2626; text-anchor: end; }
.end { text-anchor: end; }
.grid { stroke: #cbd5e1; }
.limit { stroke: #dc2626; stroke-dasharray: 6 4; }
.line { fill: none; stroke: #2563eb; stroke-width: 1.5; stroke-linejoin: round; }
.area { fill: #2563eb; fill-opacity: 0.12; }
@media (prefers-color-scheme: dark) {
  text { fill: #94a3b8; }
  .page { fill: #0f172a; }
  .title, .heading { fill: #f1f5f9; }
  .good { fill: #4ade80; }
  .bad { fill: #f87171; }
  .grid { stroke: #334155; }
  .limit { stroke: #f87171; }
  .line { stroke: #60a5fa; }
  .area { fill: #60a5fa; }
}
`;
