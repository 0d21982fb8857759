import type { Progress } from './progress';

export interface DemoOptions {
  /** Fewer rotations, for a quick impression. */
  readonly short: boolean;
  readonly color: boolean;
  readonly progress: Progress;
}

export interface DemoResult {
  /** What `--json` prints. */
  readonly figures: object;
  /** The ways in which hot-secrets broke its promise. Empty if it kept it. */
  readonly broken: readonly string[];
}

/** Runs one comparison and prints it. */
export type Demo = (options: DemoOptions) => Promise<DemoResult>;
