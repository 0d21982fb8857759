import type { Request } from './load';
import type { Rotation, Way } from './rotations';

/** The figures of one variant under load. Latencies and times are in milliseconds. */
export interface Figures {
  readonly queries: number;
  readonly failed: number;
  /** Requests that had not settled 10 s after the load stopped (3 s in a short run). */
  readonly hung: number;
  readonly steadyP50Ms: number;
  readonly steadyP99Ms: number;
  readonly rotationP50Ms: number;
  readonly rotationP99Ms: number;
  readonly rotations: number;
  /** From delivery of the right credential until the last connection with the old one was gone. Null: some stayed. */
  readonly oldConnectionsGoneMedianMs: number | null;
}

/** A variant's figures, in total and for each way of rotating. */
export interface Summary extends Figures {
  readonly rejectedLogins: number;
  readonly peakConnections: number;
  readonly ways: Readonly<Partial<Record<Way, Figures>>>;
}

/** Everything that was recorded about one variant. */
export interface Recording {
  readonly requests: readonly Request[];
  readonly rotations: readonly Rotation[];
  readonly rejectedLogins: number;
  readonly durationMs: number;
}

export function summarize(recording: Recording): Summary {
  const { requests, rotations, rejectedLogins } = recording;
  const steady = requests.filter((request) => !rotations.some((rotation) => overlaps(request, rotation)));
  const ways: Partial<Record<Way, Figures>> = {};
  for (const way of new Set(rotations.map((rotation) => rotation.way))) {
    const ofWay = rotations.filter((rotation) => rotation.way === way);
    const during = requests.filter((request) => ofWay.includes(firstOverlap(request, rotations) as Rotation));
    ways[way] = figures(during, steady, ofWay);
  }
  return {
    ...figures(requests, steady, rotations),
    rejectedLogins,
    peakConnections: Math.max(0, ...rotations.map(({ peakConnections }) => peakConnections)),
    ways,
  };
}

function figures(
  requests: readonly Request[],
  steady: readonly Request[],
  rotations: readonly Rotation[],
): Figures {
  const during = requests.filter((request) => rotations.some((rotation) => overlaps(request, rotation)));
  const gone = rotations.map(({ oldConnectionsGoneMs }) => oldConnectionsGoneMs ?? Number.POSITIVE_INFINITY);
  return {
    queries: requests.length,
    failed: requests.filter(({ failed }) => failed).length,
    hung: requests.filter(({ ms }) => ms === undefined).length,
    steadyP50Ms: round(percentile(latencies(steady), 0.5)),
    steadyP99Ms: round(percentile(latencies(steady), 0.99)),
    rotationP50Ms: round(percentile(latencies(during), 0.5)),
    rotationP99Ms: round(percentile(latencies(during), 0.99)),
    rotations: rotations.length,
    oldConnectionsGoneMedianMs: gone.every(Number.isFinite) ? round(percentile(gone, 0.5)) : null,
  };
}

/** A request counts as "during rotation" if it overlaps the window of a rotation. */
function overlaps(request: Request, { window }: Rotation): boolean {
  const end = request.at + (request.ms ?? Number.POSITIVE_INFINITY);
  return request.at <= window.to && end >= window.from;
}

// A request that never settled overlaps all later rotations. It counts for the first of them.
function firstOverlap(request: Request, rotations: readonly Rotation[]): Rotation | undefined {
  return rotations.find((rotation) => overlaps(request, rotation));
}

/** How long served requests took. Failures are left out, because they may be fast. */
function latencies(requests: readonly Request[]): number[] {
  return requests.flatMap(({ ms, failed }) => (ms === undefined || failed ? [] : [ms]));
}

/** The percentile `share` (0 to 1) of the values, or 0 if there are none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
