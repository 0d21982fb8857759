/** Milliseconds since the clock started. The process that writes the mount uses the same clock. */
export interface Clock {
  now(): number;
  /** Converts a `process.hrtime.bigint()` of any process on this host. */
  at(hrtime: bigint): number;
}

export function startClock(): Clock {
  const origin = process.hrtime.bigint();
  const at = (hrtime: bigint) => Number(hrtime - origin) / 1e6;
  return { at, now: () => at(process.hrtime.bigint()) };
}
