import { SecretsError } from '../errors';
import { describeError } from '../internal/describe-error';
import { kindOf } from '../internal/options';

/**
 * The part of Standard Schema v1 (https://standardschema.dev) that this package uses. Schemas of zod, valibot, arktype and
 * others match it structurally, so no schema library is a dependency.
 */
export interface StandardSchema<Output> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

/** Objects that a schema may make from JSON and that are not plain data. */
type Opaque =
  | ((...args: never) => unknown)
  | Date
  | RegExp
  | URL
  | Uint8Array
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>;

/** The read-only form of plain data, because all readers of a secret share one value. */
export type DeepReadonly<T> = unknown extends T
  ? T
  : T extends Opaque
    ? T
    : T extends object
      ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
      : T;

type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

interface SchemaIssue {
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** @throws `OPTION_INVALID` if `schema` is not a Standard Schema, when it is defined rather than when a value arrives. */
export function assertSchema(where: string, schema: unknown): asserts schema is StandardSchema<unknown> {
  const standard = (schema as Partial<StandardSchema<unknown>> | null)?.['~standard'];
  if (typeof standard?.validate === 'function') return;
  const what = `the schema of ${where} must be a Standard Schema, not ${kindOf(schema)} without \`~standard\``;
  throw new SecretsError('OPTION_INVALID', what, {
    next: 'Pass a schema of zod, valibot, arktype or another library. Options are the third argument; pass undefined for no schema.',
  });
}

/**
 * Validates a value. Errors contain only the path of an issue, because schema libraries echo the value in messages. `explain` may
 * throw a better error for a value that the schema refuses.
 */
export async function validate<Output>(
  alias: string,
  schema: StandardSchema<Output>,
  value: unknown,
  explain: () => void = () => {},
): Promise<Output> {
  let result: SchemaResult<Output>;
  try {
    result = await schema['~standard'].validate(value);
  } catch (error) {
    throw refused(alias, `threw ${describeError(error)}`);
  }
  if (result.issues === undefined) return result.value;
  explain();
  const paths = new Set<string>();
  for (const { path = [] } of result.issues.slice(0, MAX_PATHS)) {
    const keys = path.map((part) => (typeof part === 'object' ? part.key : part));
    paths.add(await describePath(schema, value, keys));
  }
  throw refused(alias, `refused its value at ${[...paths].join(', ')}`);
}

function refused(alias: string, what: string): SecretsError {
  return new SecretsError('VALUE_REFUSED', `the schema of "${alias}" ${what}`, {
    secret: alias,
    next: 'Compare the stored value with the schema.',
  });
}

const MAX_PATHS = 5;
const NAME = /^[A-Za-z_-]{1,24}[0-9]{0,2}$/;

/** Keys may be secrets, as in a record of API keys: only the keys that the schema itself knows are repeated. */
async function describePath(
  schema: StandardSchema<unknown>,
  value: unknown,
  path: readonly PropertyKey[],
): Promise<string> {
  if (path.length === 0) return 'its top level';
  let holder = value;
  const shown: string[] = [];
  for (const [depth, key] of path.entries()) {
    const isIndex = Array.isArray(holder) && /^\d{1,4}$/.test(String(key));
    const isSafe =
      isIndex || (NAME.test(String(key)) && (await knowsKey(schema, value, path.slice(0, depth + 1))));
    shown.push(isSafe ? String(key) : '…');
    holder = (holder as Record<PropertyKey, unknown> | null | undefined)?.[key];
  }
  return `"${shown.join('.')}"`;
}

/** Returns true if an issue is about this very key: with another key, similar to it, the schema reports no issue there. */
async function knowsKey(
  schema: StandardSchema<unknown>,
  value: unknown,
  path: readonly PropertyKey[],
): Promise<boolean> {
  const key = String(path.at(-1));
  const copy = structuredClone(value);
  let holder = copy as Record<PropertyKey, unknown> | null | undefined;
  for (const part of path.slice(0, -1)) holder = holder?.[part] as typeof holder;
  // The data lacks a required key. A schema may also echo a value as a key.
  if (typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, key))
    return !hasText(value, key);
  const other = key.replace(/[a-z0-9]/gi, (sign) => NEXT[ALPHABET.indexOf(sign)] ?? sign);
  if (Object.hasOwn(holder, other)) return false;
  holder[other] = holder[key];
  delete holder[key];
  try {
    const { issues = [] } = await schema['~standard'].validate(copy);
    return !issues.some(({ path: place = [] }) => {
      const part = place[path.length - 1];
      return String(typeof part === 'object' ? part.key : part) === other;
    });
  } catch {
    return false;
  }
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
const NEXT = 'bcdefghijklmnopqrstuvwxyzaBCDEFGHIJKLMNOPQRSTUVWXYZA1234567890';

function hasText(value: unknown, text: string): boolean {
  if (typeof value === 'object' && value !== null)
    return Object.values(value).some((part) => hasText(part, text));
  return String(value).includes(text);
}
