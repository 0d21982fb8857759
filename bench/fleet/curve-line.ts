import type { Curve } from './scenarios';
import { LIMIT, WINDOW_MS } from './simulation';

const BARS = '▁▂▃▄▅▆▇█';
const COLUMNS = 60;
const SHOWN_MS = 3_600_000;

/** Draws a curve over an hour as one line of text. A full bar is the limit, `!` is above it. */
export function curveLine(pods: string, { scenario, perWindow, peak }: Curve): string {
  const shown = perWindow.slice(0, SHOWN_MS / WINDOW_MS);
  const perColumn = Math.ceil(shown.length / COLUMNS);
  let line = '';
  for (let start = 0; start < shown.length; start += perColumn) {
    line += bar(Math.max(...shown.slice(start, start + perColumn)));
  }
  return `${`${pods}, ${scenario.name}`.padEnd(36)} ${line} peak ${peak}`;
}

function bar(requests: number): string {
  if (requests > LIMIT) return '!';
  if (requests === 0) return ' ';
  return BARS[Math.ceil((requests / LIMIT) * BARS.length) - 1] as string;
}
