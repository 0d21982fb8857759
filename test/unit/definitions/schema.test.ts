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
