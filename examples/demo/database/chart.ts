import { panel, type Scale } from './chart-panel';
import { chartStyle } from './chart-style';
import { percentile, type Recording } from './measure';
import { type Rotation, type Way, wayTitles } from './rotations';

/** One curve of the chart. */
export interface ChartSeries {
  readonly title: string;
  readonly recording: Recording;
}

const WIDTH = 1080;
const LEFT = 62;
const RIGHT = 24;
const TOP = 142;
const PANEL_HEIGHT = 210;
const PANEL_GAP = 62;

/** Draws latency over time as a self-contained SVG, with one panel per variant. All panels share their scales. */
export function renderChart(
  series: readonly ChartSeries[],
  title = 'Query latency while database passwords rotate',
): string {
  const durationMs = Math.max(...series.map(({ recording }) => recording.durationMs));
  const scale: Scale = {
    left: LEFT,
    right: WIDTH - RIGHT,
    height: PANEL_HEIGHT,
    durationMs,
    latencyMs: niceLimit(series),
  };
  const tops = series.map((_, index) => TOP + index * (PANEL_HEIGHT + PANEL_GAP));
  const bottom = (tops.at(-1) ?? TOP) + PANEL_HEIGHT;
  const height = bottom + 52;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title">
<title id="title">${title}</title>
<style>${chartStyle}</style>
<rect class="page" width="${WIDTH}" height="${height}" rx="10"/>
<text class="title" x="${LEFT}" y="38">${title}</text>
${legend()}
${series.map((one, index) => panel(one.title, one.recording, scale, tops[index] ?? TOP)).join('\n')}
${sections(series[0]?.recording.rotations ?? [], scale)}
${timeAxis(scale, bottom)}
</svg>
`;
}

// Outliers of a broken variant must not flatten everything else: values above the limit are drawn at the top.
function niceLimit(series: readonly ChartSeries[]): number {
  const highest = series.map(({ recording }) => {
    return percentile(
      recording.requests.flatMap(({ ms, failed }) => (ms === undefined || failed ? [] : [ms])),
      0.999,
    );
  });
  const limit = Math.min(Math.max(...highest) * 1.2, Math.min(...highest) * 3);
  return Math.max(50, Math.ceil(limit / 25) * 25);
}

function legend(): string {
  const items: [string, string][] = [
    [`<path class="p99" d="M0 0h22"/>`, 'p99'],
    [`<path class="p50" d="M0 0h22"/>`, 'p50'],
    [`<circle class="failure" cx="11" r="4"/>`, 'failed'],
    [`<path class="hung" d="M7 -4l8 8m0 -8l-8 8"/>`, 'never answered'],
    [`<path class="file" d="M11 -8v16"/>`, 'new file'],
    [`<path class="database" d="M11 -8v16"/>`, 'new password in the database'],
    [`<path class="wrong-file" d="M11 -8v16"/>`, 'wrong file'],
    [`<rect class="window" x="2" y="-8" width="18" height="16"/>`, 'rotation in progress'],
  ];
  let x = LEFT;
  return items
    .map(([mark, label]) => {
      const item = `<g transform="translate(${x} 62)">${mark}<text class="label" x="28" y="4">${label}</text></g>`;
      x += 52 + label.length * 6.2;
      return item;
    })
    .join('\n');
}

/** Labels above the panels that name the way of rotating in each stretch. */
function sections(rotations: readonly Rotation[], { left, right, durationMs }: Scale): string {
  const x = (ms: number) => left + (ms / durationMs) * (right - left);
  const stretches = new Map<Way, { from: number; to: number }>();
  for (const { way, window } of rotations) {
    const from = stretches.get(way)?.from ?? window.from;
    stretches.set(way, { from, to: window.to });
  }
  return [...stretches]
    .map(([way, { from, to }]) => {
      const middle = (x(from) + x(to)) / 2;
      return `<text class="section" x="${middle.toFixed(1)}" y="${TOP - 46}">${wayTitles[way]}</text>
<path class="bracket" d="M${x(from).toFixed(1)} ${TOP - 33}v-5H${x(to).toFixed(1)}v5"/>`;
    })
    .join('\n');
}

function timeAxis({ left, right, durationMs }: Scale, y: number): string {
  const stepMs = durationMs > 15_000 ? 5_000 : 1_000;
  const ticks: string[] = [];
  for (let ms = 0; ms <= durationMs; ms += stepMs) {
    const x = left + (ms / durationMs) * (right - left);
    ticks.push(`<text class="label middle" x="${x.toFixed(1)}" y="${y + 20}">${ms / 1000} s</text>`);
  }
  return ticks.join('\n');
}
