/** A form of a value, or many. */
export interface Form {
  /** The form; or a text with many forms, one at each of `places`. */
  readonly text: string;
  /** The start and the end of each form, if there are many. */
  readonly places?: Int32Array | undefined;
  /** The number of characters that identify one form. What follows them is masked as far as it is equal. */
  readonly least: number;
  /** Returns the whole of a form that is too long to keep. `text` is its beginning. */
  readonly whole?: (() => string) | undefined;
  /** True if the form is also masked in the alphabet that base64 uses in URLs. */
  readonly inUrl?: boolean | undefined;
  /** True for a form that is masked only after a key that identifies it, as is every form below `MIN_LENGTH`. */
  readonly isShort?: boolean | undefined;
}

/** Returns the place of a name in the order of the store. The first name of a form counts. */
export type RankOf = (name: string) => number;

/** Shorter forms occur in ordinary text, such as `dev` or `12345`. A key and a step fit into as many characters. */
export const MIN_LENGTH = 6;
