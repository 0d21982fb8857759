/**
 * The type of another package, or `Ours` where its types are not installed. TypeScript turns an import that it cannot resolve
 * into `any`, silently with `skipLibCheck`; and `any` has every key.
 */
export type Typed<Theirs, Ours> = symbol extends keyof Theirs ? Ours : Theirs;

/** In place of a type that cannot be known: whatever you do with it fails to compile, and the error names the package. */
export interface TypesMissing<Package extends string> {
  readonly typesMissing: `npm install ${Package}`;
}
