import type { Progress } from './progress';

export interface DemoOptions {
  /** Fewer rotations, for a quick look. */
  readonly short: boolean;
  readonly color: boolean;
  readonly progress: Progress;
}

export interface DemoResult {
  /** What `--json` prints. */
  readonly figures: object;
  /** Why hot-secrets did not keep its promise; empty when it did. */
  readonly broken: readonly string[];
}

/** Runs one comparison, and shows it. */
export type Demo = (options: DemoOptions) => Promise<DemoResult>;
