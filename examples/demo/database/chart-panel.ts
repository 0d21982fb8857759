import type { Request } from './load';
import { percentile, type Recording } from './measure';

/** How values map to pixels. Every panel uses the same scale. */
export interface Scale {
  readonly left: number;
  readonly right: number;
  readonly height: number;
  readonly durationMs: number;
  readonly latencyMs: number;
}

const LINE_STEP_MS = 200;
const DOT_STEP_MS = 100;

/** Draws one variant: grid, rotations, latency lines, failures. `top` is the upper edge of its plot. */
export function panel(title: string, recording: Recording, scale: Scale, top: number): string {
  const { left, right, height, durationMs, latencyMs } = scale;
  const x = (ms: number) => (left + (Math.min(ms, durationMs) / durationMs) * (right - left)).toFixed(1);
  const y = (ms: number) => (top + height - (Math.min(ms, latencyMs) / latencyMs) * height).toFixed(1);

  const windows = recording.rotations.map(({ window }) => {
    const width = Number(x(window.to)) - Number(x(window.from));
    return `<rect class="window" x="${x(window.from)}" y="${top}" width="${width.toFixed(1)}" height="${height}"/>`;
  });
  const marks = recording.rotations.flatMap(({ events }) =>
    events.map(({ kind, at }) => `<path class="${kind}" d="M${x(at)} ${top}v${height}"/>`),
  );
  const served = recording.requests.filter(({ ms, failed }) => ms !== undefined && !failed);
  const line = (share: number) => path(buckets(served, LINE_STEP_MS, durationMs), share, x, y);
  const failed = recording.requests.filter((request) => request.failed);
  const hung = recording.requests.filter(({ ms }) => ms === undefined);

  return [
    `<text class="heading" x="${left}" y="${top - 10}">${escapeText(title)}</text>`,
    verdict(failed.length, hung.length, right, top - 10),
    grid(scale, y),
    ...windows,
    ...marks,
    `<path class="p50" d="${line(0.5)}"/>`,
    `<path class="p99" d="${line(0.99)}"/>`,
    ...dots(failed, durationMs, x, y),
    ...crosses(hung, durationMs, x, top),
  ].join('\n');
}

type ToPixel = (ms: number) => string;

function verdict(failed: number, hung: number, x: number, y: number): string {
  const text = `${failed.toLocaleString('en-US')} failed, ${hung.toLocaleString('en-US')} never answered`;
  return `<text class="${failed + hung === 0 ? 'good' : 'bad'}" x="${x}" y="${y}">${text}</text>`;
}

function grid({ left, right, latencyMs }: Scale, y: ToPixel): string {
  const step = latencyMs > 100 ? 50 : 25;
  const lines: string[] = [];
  for (let ms = 0; ms <= latencyMs; ms += step) {
    lines.push(`<path class="grid" d="M${left} ${y(ms)}H${right}"/>`);
    lines.push(
      `<text class="label end" x="${left - 8}" y="${(Number(y(ms)) + 4).toFixed(1)}">${ms} ms</text>`,
    );
  }
  return lines.join('\n');
}

// The line has a gap where no request was served: joining its ends would show latencies that never occurred.
function path(steps: readonly Request[][], share: number, x: ToPixel, y: ToPixel): string {
  let pen = 'M';
  let drawn = '';
  steps.forEach((requests, index) => {
    if (requests.length === 0) {
      pen = 'M';
      return;
    }
    const latency = percentile(
      requests.map(({ ms = 0 }) => ms),
      share,
    );
    drawn += `${pen}${x((index + 0.5) * LINE_STEP_MS)} ${y(latency)}`;
    pen = 'L';
  });
  return drawn;
}

// One dot for all failures within a step. Its size grows with their number.
function dots(failed: readonly Request[], durationMs: number, x: ToPixel, y: ToPixel): string[] {
  return buckets(failed, DOT_STEP_MS, durationMs).flatMap((requests, index) => {
    if (requests.length === 0) return [];
    const latency = percentile(
      requests.map(({ ms = 0 }) => ms),
      0.5,
    );
    const radius = Math.min(5, 2 + Math.log10(requests.length));
    return `<circle class="failure" cx="${x((index + 0.5) * DOT_STEP_MS)}" cy="${y(latency)}" r="${radius.toFixed(1)}"/>`;
  });
}

function crosses(hung: readonly Request[], durationMs: number, x: ToPixel, top: number): string[] {
  return buckets(hung, DOT_STEP_MS, durationMs).flatMap((requests, index) => {
    if (requests.length === 0) return [];
    const left = Number(x((index + 0.5) * DOT_STEP_MS)) - 4;
    return `<path class="hung" d="M${left.toFixed(1)} ${top + 4}l8 8m0 -8l-8 8"/>`;
  });
}

/** Groups requests by the time at which they were sent. */
function buckets(requests: readonly Request[], stepMs: number, durationMs: number): Request[][] {
  const steps: Request[][] = Array.from({ length: Math.ceil(durationMs / stepMs) }, () => []);
  for (const request of requests) steps[Math.floor(request.at / stepMs)]?.push(request);
  return steps;
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
