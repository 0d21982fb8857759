/** A stretch of a text that is to be masked, and whose value it is. */
export interface Match {
  readonly start: number;
  readonly end: number;
  readonly name: string;
}

/** Finds what is to be masked, in any order; stretches may overlap. */
export type Find = (text: string) => readonly Match[];
