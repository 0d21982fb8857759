import { inspect } from 'node:util';
import { secret } from 'hot-secrets';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import type { StandardSchema } from '../../../src/definitions/standard-schema';

const MARKER = 'marker-value-1a2b3c';

async function refusal(schema: StandardSchema<unknown>, value: unknown): Promise<string> {
  const bytes = Buffer.from(JSON.stringify(value));
  const error = await Promise.resolve(secret.json('one', schema).decode([bytes])).then(
    () => expect.unreachable('it was accepted'),
    (reason) => reason,
  );
  expect(error).toMatchObject({ code: 'VALUE_REFUSED', secret: 'one' });
  expect(inspect(error, { showHidden: true, depth: 10 }) + error.stack).not.toContain(MARKER);
  return error.message;
}

function schemaOf(validate: (value: unknown) => unknown): StandardSchema<unknown> {
  return { '~standard': { version: 1, vendor: 'test', validate: validate as never } };
}

describe('secret.json', () => {
  it.each([
    ['zod', z.object({ hosts: z.array(z.object({ port: z.number() })), user: z.string() })],
    [
      'valibot',
      v.object({
        hosts: v.array(v.object({ port: v.number() })),
        user: v.string(),
      }),
    ],
  ])('names the place where a schema of %s refused a value, but not the value', async (_, schema) => {
    const message = await refusal(schema, { hosts: [{ port: MARKER }], user: [MARKER] });
    expect(message).toContain('the schema of "one" refused its value at "hosts.0.port", "user"');
  });

  it('repeats nothing of a schema that echoes the value in messages, paths, keys or exceptions', async () => {
    expect(await refusal(z.literal('a'), MARKER)).toContain('its top level');
    expect(await refusal(z.record(z.string(), z.number()), { [MARKER]: 'x' })).toContain('"…"');
    expect(await refusal(v.record(v.string(), v.number()), { [MARKER]: 'x' })).toContain('"…"');
    expect(await refusal(z.strictObject({}), { [MARKER]: 1 })).toContain('its top level');
    await refusal(
      schemaOf((value) => ({ issues: [{ message: String(value), path: [String(value), { key: value }] }] })),
      MARKER,
    );
    await refusal(
      schemaOf((value) => {
        throw new Error(String(value), { cause: value });
      }),
      MARKER,
    );
    await refusal(
      schemaOf((value) => Promise.reject(value)),
      MARKER,
    );
  });

  it.each([
    ['a record of numbers', z.record(z.string(), z.number()), { hunter: 'x' }, '"…"'],
    [
      'a record below a key',
      z.object({ keys: z.record(z.string(), z.number()) }),
      { keys: { hunter: 'x' } },
      '"keys.…"',
    ],
    ['a record with digits as keys', z.record(z.string(), z.number()), { 1234: 'x' }, '"…"'],
    [
      'a record whose keys have a length',
      v.record(v.pipe(v.string(), v.minLength(9)), v.number()),
      { hunter: 1 },
      '"…"',
    ],
    ['other keys', z.object({ port: z.number() }).catchall(z.number()), { port: 1, hunter: 'x' }, '"…"'],
    ['a missing key', z.object({ db: z.object({ password: z.string() }) }), { db: {} }, '"db.password"'],
    ['an optional key', v.object({ port: v.optional(v.number()) }), { port: 'x' }, '"port"'],
    [
      'a schema that uses a value as a key',
      schemaOf((value) => ({ issues: [{ message: '', path: [(value as { user: string }).user] }] })),
      { user: 'hunter' },
      '"…"',
    ],
  ])('repeats a key in the path only if the schema knows it: %s', async (_, schema, value, path) => {
    const message = await refusal(schema as StandardSchema<unknown>, value);
    expect(message).toContain(`at ${path}.`);
    expect(message).not.toContain('hunter');
  });

  it('accepts schemas that transform, and asynchronous ones', async () => {
    const port = z.object({ port: z.string().transform(Number) });
    const definition = secret.json('one', port);
    expect(await definition.decode([Buffer.from('{"port":"5432"}')])).toEqual({ port: 5432 });
    const later = schemaOf(async (value) => ({ value: [value] }));
    expect(await secret.json('one', later).decode([Buffer.from('1')])).toEqual([1]);
  });

  it('refuses invalid JSON with VALUE_NOT_JSON, without the value', async () => {
    for (const stored of [MARKER, `{"a":"${MARKER}",}`, `${MARKER}\ufeff{"a":1}`]) {
      const error = await Promise.resolve()
        .then(() => secret.json('one', z.any()).decode([Buffer.from(stored)]))
        .then(String, (reason) => reason);
      expect(error).toMatchObject({ code: 'VALUE_NOT_JSON' });
      expect(inspect(error, { showHidden: true })).not.toContain(MARKER);
    }
  });
});
