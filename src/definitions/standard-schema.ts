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
  const paths = [...new Set(result.issues.map(pathOf))].slice(0, 5);
  throw refused(alias, `refused its value at ${paths.join(', ')}`);
}

function refused(alias: string, what: string): SecretsError {
  return new SecretsError('VALUE_REFUSED', `the schema of "${alias}" ${what}`, {
    secret: alias,
    next: 'Compare the stored value with the schema.',
  });
}

function pathOf(issue: SchemaIssue): string {
  const path = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part));
  // Keys may be secrets, as in a record of API keys. Repeat only keys that have the form of a name.
  const safe = path.map((part) => (/^([A-Za-z_-]{1,24}[0-9]{0,2}|[0-9]{1,4})$/.test(part) ? part : '…'));
  return safe.length === 0 ? 'its top level' : `"${safe.join('.')}"`;
}
