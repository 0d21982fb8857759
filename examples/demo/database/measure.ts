import type { Request } from './load';
import type { Rotation, Way } from './rotations';

/** What one variant did under the load. Latencies and times are milliseconds. */
export interface Figures {
  readonly queries: number;
  readonly failed: number;
  /** Not settled long after the load stopped (10 s; 3 s in a short run). */
  readonly hung: number;
  readonly steadyP50Ms: number;
  readonly steadyP99Ms: number;
  readonly rotationP50Ms: number;
  readonly rotationP99Ms: number;
  readonly rotations: number;
  /** From the delivery of the right credential until the last connection with the old one was gone. Null: some stayed. */
  readonly oldConnectionsGoneMedianMs: number | null;
}

/** A variant's figures, and the same per way of rotating. */
export interface Summary extends Figures {
  readonly rejectedLogins: number;
  readonly peakConnections: number;
  readonly ways: Readonly<Partial<Record<Way, Figures>>>;
}

/** Everything that was recorded of one variant. */
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

/** A request counts as "during rotation" when any part of its wait lay in the window of a rotation. */
function overlaps(request: Request, { window }: Rotation): boolean {
  const end = request.at + (request.ms ?? Number.POSITIVE_INFINITY);
  return request.at <= window.to && end >= window.from;
}

// What never settled overlaps everything after it; the rotation that it met first is the one that it counts for.
function firstOverlap(request: Request, rotations: readonly Rotation[]): Rotation | undefined {
  return rotations.find((rotation) => overlaps(request, rotation));
}

/** How long served requests took; a refusal may be fast, and is counted elsewhere. */
function latencies(requests: readonly Request[]): number[] {
  return requests.flatMap(({ ms, failed }) => (ms === undefined || failed ? [] : [ms]));
}

/** The value below which the part `share` of all values lies; 0 for none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
