/** How much to measure. CI uses `short`. */
export type Size = 'full' | 'short';

/** One number with its target. The check passes if the number is at most the target. */
export interface Check {
  readonly name: string;
  readonly value: number;
  readonly target: number;
  readonly unit: string;
  readonly pass: boolean;
}

/** The result of one figure. `details` have no target; they explain the checks. */
export interface FigureResult {
  readonly checks: readonly Check[];
  readonly details: Readonly<Record<string, number>>;
}

/** How much a figure measures, and an empty directory for it, on tmpfs if available. */
export interface FigureOptions {
  readonly size: Size;
  readonly scratch: string;
}

export type Figure = (options: FigureOptions) => Promise<FigureResult>;

export function atMost(target: number, name: string, value: number, unit = ''): Check {
  return { name, value: rounded(value), target, unit, pass: value <= target };
}

/** Rounds to four significant digits; more would suggest a precision that the measurement lacks. Keeps whole numbers. */
export function rounded(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toPrecision(4));
}

export function roundedAll(details: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(details).map(([name, value]) => [name, rounded(value)]));
}
