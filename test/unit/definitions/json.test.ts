import { environment, SecretStore, type SecretsError, secret } from 'hot-secrets';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { seededRandom } from '../../support/seeded-random';

const MARKER = 'hunter2-marker';
const key = '-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n';
const account = { type: 'service_account', private_key: key, note: MARKER };
const json = JSON.stringify(account);

/** Returns the error for a stored text. */
function fault(stored: string | Uint8Array): SecretsError {
  try {
    secret.json('one').decode([Buffer.from(stored as string)]);
  } catch (error) {
    return error as SecretsError;
  }
  throw new Error('the text was accepted');
}

describe('a text that is not JSON', () => {
  it.each([
    ['base64', Buffer.from(json).toString('base64'), 'it is JSON in base64'],
    [
      'base64 with line breaks',
      Buffer.from(json).toString('base64').replace(/.{60}/g, '$&\n'),
      'it is JSON in base64',
    ],
    ['base64url', Buffer.from(json).toString('base64url'), 'it is JSON in base64'],
    [
      'base64 of base64',
      Buffer.from(Buffer.from(json).toString('base64')).toString('base64'),
      'as base64 twice',
    ],
    ['hex', Buffer.from(json).toString('hex'), 'it is JSON in hex'],
    ['the encoding of URLs', encodeURIComponent(json), 'it is JSON in the encoding of URLs'],
    ['single quotes around', `'${json}'`, 'it is JSON in single quotes'],
    ['backticks around', `\`${json}\``, 'it is JSON in backticks'],
    ['double quotes around', `"${json}"`, 'it is JSON in double quotes'],
    ['a backslash before each quote', json.replaceAll('"', '\\"'), 'a backslash before each quote'],
    ['escaped twice', JSON.stringify(json).slice(1, -1), 'a backslash before each quote'],
    [
      'line breaks as escapes',
      JSON.stringify({ a: 1, b: 2 }, null, 1).replaceAll('\n', '\\n'),
      'escapes outside',
    ],
    ['JSON in a text of JSON', JSON.stringify(json), 'it is JSON inside a text of JSON'],
    ['a list in a text of JSON', '"[1,2]"', 'it is JSON inside a text of JSON'],
    ['typographic quotes', '{“a”: “b”}', 'it has typographic quotes (line 1, column 2)'],
    ['a no-break space', '{\n\u00a0"a": "\u00a0"}', 'it has a character that nobody sees (line 2, column 1)'],
    ['a NUL at the end', `{"a":1}\0`, 'it has a NUL (line 1, column 8)'],
    ['UTF-16', Buffer.from(json, 'utf16le'), 'it is UTF-16'],
    ['a path', '/var/secrets/key.json', 'it is the path of a file'],
    ['a path of Windows', 'C:\\secrets\\key.json', 'it is the path of a file'],
    ['a relative path', './key.json', 'it is the path of a file'],
    ['a URL', 'https://example.com/key.json', 'it is a URL'],
    ['YAML', 'type: service_account\nkey: x', 'it is YAML'],
    ['YAML with a mark', '---\na: 1', 'it is YAML'],
    ['variables', 'DB_USER=app\nDB_PASSWORD=x', 'it is a list of variables'],
    ['PEM', key, 'it is PEM'],
    ['HTML', '<!DOCTYPE html><html></html>', 'it is XML or HTML'],
    ['a JSON Web Token', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc', 'it is a JSON Web Token'],
  ])('names %s', (_what, stored, what) => {
    const error = fault(stored);
    expect(error).toMatchObject({ code: 'VALUE_NOT_JSON', secret: 'one' });
    expect(error.what).toMatch(/^the value of "one" is not valid JSON: /);
    expect(error.what).toContain(what);
    expect(error.next).not.toBe('');
  });

  it.each([
    ['{"a": "x\ny"}', 'a text has a line break (line 1, column 9)'],
    ['{"a": "x\ty"}', 'a text has a tab (line 1, column 9)'],
    ['{"a": "x\u0001y"}', 'a text has a control character (line 1, column 9)'],
    ['{\n  "a": 1,\n}', 'there is a comma after the last entry (line 2, column 9)'],
    ['[1, 2,]', 'there is a comma after the last entry (line 1, column 6)'],
    ["{'a': 1}", 'a text is in single quotes (line 1, column 2)'],
    ['{"a": \'x\'}', 'a text is in single quotes (line 1, column 7)'],
    ['{a: 1}', 'a name is not in double quotes (line 1, column 2)'],
    ['{"a": x}', 'a value is not in double quotes (line 1, column 7)'],
    ['{"a": True}', 'a value is a word of another language (line 1, column 7)'],
    ['{"a": NaN}', 'a value is a word of another language (line 1, column 7)'],
    ['{"a": 01}', 'a number is not written as in JSON (line 1, column 7)'],
    ['{"a": +1}', 'a number is not written as in JSON (line 1, column 7)'],
    ['{"a": .5}', 'a number is not written as in JSON (line 1, column 7)'],
    ['{"a": "C:\\dir"}', 'a text has an unknown escape (line 1, column 10)'],
    ['{"a" 1}', 'a colon is missing after a name (line 1, column 6)'],
    ['{"a": 1\n "b": 2}', 'a comma or "}" is missing (line 2, column 2)'],
    ['[1 2]', 'a comma or "]" is missing (line 1, column 4)'],
    ['{"a": 1} // note', 'there is text after its end (line 1, column 10)'],
    ['{"a": 1}\n{"a": 2}', 'there is text after its end (line 2, column 1)'],
    ['{"a": 1 /* note */}', 'there is a comment (line 1, column 9)'],
    ['// note\n{"a": 1}', 'there is a comment (line 1, column 1)'],
    ['{"a": {"b": [1, 2', 'it ends too early (line 1, column 18)'],
    ['{"a": "x', 'it ends too early (line 1, column 9)'],
    ['{"a": tru', 'it ends too early (line 1, column 10)'],
    ['{"a":\n', 'it ends too early (line 1, column 6)'],
    [MARKER, 'it does not begin like JSON (line 1, column 1)'],
  ])('says of %j that %s', (stored, what) => {
    expect(fault(stored).what).toBe(`the value of "one" is not valid JSON: ${what}`);
  });

  it('finds the fault of every text that a mutation made invalid, without any of the text', () => {
    const next = seededRandom(3);
    const pick = (length: number) => Math.floor(next() * length);
    const signs = [
      '"',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '\\',
      "'",
      '\n',
      '1',
      'e',
      '-',
      ' ',
      '/',
      '#',
      't',
      '\0',
    ];
    let invalid = 0;
    for (let round = 0; round < 3000; round += 1) {
      const at = pick(json.length);
      const text = json.slice(0, at) + signs[pick(signs.length)] + json.slice(at + pick(3));
      try {
        JSON.parse(text);
      } catch {
        invalid += 1;
        const { message } = fault(text);
        expect(message, text).not.toMatch(/cannot be parsed|marker|service_account|MIIE/);
      }
    }
    expect(invalid).toBeGreaterThan(900);
  });

  it('answers quickly for large and for deeply nested texts', () => {
    const startedAt = performance.now();
    fault(`{"a": "${'x'.repeat(1_000_000)}`);
    fault('['.repeat(100_000));
    fault(`${'\\'.repeat(500_000)}"`);
    fault(`"${'"'.repeat(500_000)}`);
    fault('a'.repeat(1_000_000));
    fault(`{${' '.repeat(1_000_000)}`);
    expect(performance.now() - startedAt).toBeLessThan(5000);
  });
});

describe('JSON inside a text of JSON', () => {
  it('accepts JSON inside a text of JSON for a schema of a text, and names it if the schema refuses it', async () => {
    const stored = [Buffer.from(JSON.stringify('{"a":1}'))];
    expect(await secret.json('one', z.string()).decode(stored)).toBe('{"a":1}');
    await expect(secret.json('one', z.object({ a: z.number() })).decode(stored)).rejects.toMatchObject({
      code: 'VALUE_NOT_JSON',
    });
  });

  it('accepts texts of JSON that hold other text', async () => {
    for (const value of ['hunter2', '1', '{not json}', '']) {
      expect(await secret.json('one').decode([Buffer.from(JSON.stringify(value))])).toBe(value);
    }
  });
});

it('reports the place of a fault from a store too', async () => {
  const opening = SecretStore.open({
    secrets: { google: secret.json('google') },
    sources: [environment({ GOOGLE: json.replaceAll('\\n', '\n') })],
  });
  const column = json.indexOf('\\n') + 1;
  await expect(opening).rejects.toMatchObject({
    code: 'VALUE_NOT_JSON',
    what: `the value of "google" is not valid JSON: a text has a line break (line 1, column ${column}) (read from GOOGLE)`,
  });
});
