/** How much is measured: `short` is for CI. */
export type Size = 'full' | 'short';

/** One number and its bound: met when it is at most the target. */
export interface Check {
  readonly name: string;
  readonly value: number;
  readonly target: number;
  readonly unit: string;
  readonly pass: boolean;
}

/** What one figure found. `details` has no target: it says what the checks are made of. */
export interface FigureResult {
  readonly checks: readonly Check[];
  readonly details: Readonly<Record<string, number>>;
}

/** What a figure is given: how much to measure, and an empty directory, on tmpfs where there is one. */
export interface FigureOptions {
  readonly size: Size;
  readonly scratch: string;
}

export type Figure = (options: FigureOptions) => Promise<FigureResult>;

export function atMost(target: number, name: string, value: number, unit = ''): Check {
  return { name, value: rounded(value), target, unit, pass: value <= target };
}

/** Four significant digits: more would only pretend. Whole numbers stay as they are. */
export function rounded(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toPrecision(4));
}

export function roundedAll(details: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(details).map(([name, value]) => [name, rounded(value)]));
}
