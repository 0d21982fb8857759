import { environment, memory, SecretStore, type SecretsError, secret } from 'hot-secrets';
import { describe, expect, it } from 'vitest';
import { record } from '../../support/store-log';

const utf16 = (text: string) => new Uint8Array(Buffer.from(text, 'utf16le'));

/** Returns the value of a stored text, and what is told about it. */
async function read(stored: string | Uint8Array, definition = secret.text('one')) {
  const told: SecretsError[] = [];
  const value = await definition.decode([Buffer.from(stored as string)], (problem) => told.push(problem));
  return {
    value,
    told: told.map(({ what }) => what.replace(/^.* meant: it /, '')),
    codes: told.map(({ code }) => code),
  };
}

describe('characters at the ends of a text', () => {
  it.each([
    ['a newline', 'hunter2\n'],
    ['a newline of Windows', 'hunter2\r\n'],
    ['the carriage return of a file of variables', 'hunter2\r'],
    ['a byte order mark', '\ufeffhunter2'],
    ['a byte order mark and a newline', '\ufeffhunter2\r\n'],
  ])('removes %s without a word', async (_what, stored) => {
    expect(await read(stored)).toMatchObject({ value: 'hunter2', codes: [] });
  });

  it('removes them from base64, from JSON and from a passphrase too', async () => {
    expect((await read('\ufeffaHVudGVyMg==\r', secret.text('one', { encoding: 'base64' }))).value).toBe(
      'hunter2',
    );
    expect(await secret.bytes('one', { encoding: 'base64' }).decode([Buffer.from('\ufeffAQID')])).toEqual(
      Uint8Array.of(1, 2, 3),
    );
    expect(await secret.json('one').decode([Buffer.from('\ufeff{"a":1}\r')])).toEqual({ a: 1 });
  });

  it('leaves bytes unchanged', async () => {
    const stored = Buffer.from('\ufeffa\0\r');
    expect(await secret.bytes('one').decode([stored])).toEqual(new Uint8Array(stored));
  });

  it.each([
    ['hunter2\n\n', 'hunter2'],
    [' \thunter2 \r\n', 'hunter2'],
    ['\u00a0hunter2\u3000', 'hunter2'],
    ['\u200bhunter2\u2060\u00ad', 'hunter2'],
    ['\ufeff two words \u2028', 'two words'],
  ])('removes all white space of %j with trim: "whitespace"', async (stored, value) => {
    expect(await read(stored, secret.text('one', { trim: 'whitespace' }))).toMatchObject({
      value,
      codes: [],
    });
  });

  it('keeps and tells nothing with trim: "none"', async () => {
    for (const stored of ['\ufeff "x"\u00a0\n\n', 'hunter2\r', '\tx\u200b']) {
      expect(await read(stored, secret.text('one', { trim: 'none' }))).toMatchObject({
        value: stored,
        codes: [],
      });
    }
  });

  it('refuses a text of white space alone with trim: "whitespace"', async () => {
    await expect(read(' \u00a0\n', secret.text('one', { trim: 'whitespace' }))).rejects.toMatchObject({
      code: 'VALUE_EMPTY',
    });
  });
});

describe('a text with NUL', () => {
  it.each([
    ['UTF-16 without a byte order mark', utf16('hunter2'), 'VALUE_NOT_TEXT', 'is UTF-16'],
    ['UTF-16 of the other byte order', Buffer.from(utf16('hunter2')).swap16(), 'VALUE_NOT_TEXT', 'is UTF-16'],
    ['UTF-16 with a byte order mark', utf16('\ufeffhunter2'), 'VALUE_NOT_UTF8', 'is UTF-16, not UTF-8'],
    [
      'big-endian UTF-16 with a mark',
      Buffer.from(utf16('\ufeffhunter2')).swap16(),
      'VALUE_NOT_UTF8',
      'is UTF-16',
    ],
    ['padding', 'hunter2\0\0', 'VALUE_NOT_TEXT', 'padded with NUL from offset 7'],
    ['a NUL in the middle', 'hunt\0er2', 'VALUE_NOT_TEXT', 'has a NUL at offset 4'],
    ['a NUL before the newline', 'hunter2\0\n', 'VALUE_NOT_TEXT', 'padded with NUL from offset 7'],
    ['Latin-1', Buffer.from('pässword', 'latin1'), 'VALUE_NOT_UTF8', 'not valid UTF-8, from byte 1 on'],
  ])('refuses %s', async (_what, stored, code, what) => {
    await expect(read(stored)).rejects.toMatchObject({
      code,
      secret: 'one',
      what: expect.stringContaining(what),
    });
    await expect(read(stored, secret.text('one', { trim: 'none' }))).rejects.toMatchObject({ code });
  });
});

describe('a text with characters that are probably not meant', () => {
  it.each([
    ['hunter2\n\n', 'hunter2\n', 'ends with a newline (offset 7)'],
    ['hunter2 \n', 'hunter2 ', 'ends with a space (offset 7)'],
    ['hunter2\t', 'hunter2\t', 'ends with a tab (offset 7)'],
    [' hunter2', ' hunter2', 'begins with a space (offset 0)'],
    ['\nhunter2', '\nhunter2', 'begins with a newline (offset 0)'],
    ['hunter2\u00a0', 'hunter2\u00a0', 'has a no-break space (offset 7)'],
    ['hunter\u202f2', 'hunter\u202f2', 'has a no-break space (offset 6)'],
    ['hun\u2003ter2', 'hun\u2003ter2', 'has a space that is not the usual one (offset 3)'],
    ['"hunter2"', '"hunter2"', 'is in quotes (offsets 0 and 8)'],
    ["'hunter2'\n", "'hunter2'", 'is in quotes (offsets 0 and 8)'],
    ['“hunter2”', '“hunter2”', 'is in quotes (offsets 0 and 8)'],
    ['hunt\u200ber2', 'hunt\u200ber2', 'has a character without width (offset 4)'],
    ['hunter\u00ad2', 'hunter\u00ad2', 'has a character without width (offset 6)'],
    ['hunter2\u200e', 'hunter2\u200e', 'has a mark of writing direction (offset 7)'],
    ['hunter\ufeff2', 'hunter\ufeff2', 'has a byte order mark (offset 6)'],
    ['\ufeff\ufeffx', '\ufeffx', 'has a byte order mark (offset 0)'],
    ['hunt\u001b[0m', 'hunt\u001b[0m', 'has a control character (offset 4)'],
    ['hunter2\u0004', 'hunter2\u0004', 'has a control character (offset 7)'],
    ['one\rtwo', 'one\rtwo', 'has a carriage return without a newline (offset 3)'],
    ['a\u2028b', 'a\u2028b', 'has a line separator (offset 1)'],
    [
      'p\ufffdss',
      'p\ufffdss',
      'has a replacement character, which stands for bytes that were lost (offset 1)',
    ],
    ['None', 'None', 'is what a program writes when it has no value (offset 0)'],
    ['<your-password>', '<your-password>', 'is what a program writes when it has no value (offset 0)'],
    ['$DB_PASSWORD', '$DB_PASSWORD', 'is what a program writes when it has no value (offset 0)'],
    ['***', '***', 'is what a program writes when it has no value (offset 0)'],
  ])('uses %j as %j, and tells that it %s', async (stored, value, what) => {
    expect(await read(stored)).toEqual({ value, told: [what], codes: ['VALUE_SUSPECT'] });
  });

  it('tells everything about one text in one message', async () => {
    const { told } = await read(' "a\u00a0b" \n');
    expect(told).toEqual([
      'begins with a space (offset 0), has a no-break space (offset 3) and ends with a space (offset 6)',
    ]);
  });

  it('tells it of a text that a schema turns into something else too', async () => {
    const length = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value: unknown) => ({ value: (value as string).length }),
      },
    } as const;
    const { value, told } = await read(' x', secret.text('one', { schema: length }) as never);
    expect([value, told]).toEqual([2, ['begins with a space (offset 0)']]);
  });

  it.each([
    'correct horse battery staple',
    'grün 🔑 👩‍💻 ❤️',
    '-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n',
    '-----BEGIN PRIVATE KEY-----\r\nMIIE\r\n-----END PRIVATE KEY-----\r\n',
    'user:pass\nother:pass\n',
    'a\tb',
    '"',
    `"a" or 'b"`,
    `it's`,
    '{"a":"b"}',
    'パスワード',
    'none',
    '$ecret',
  ])('tells nothing about %j', async (stored) => {
    expect((await read(stored)).codes).toEqual([]);
  });
});

describe('a store with such texts', () => {
  it('reports each of them once, as an event and in health, and its end', async () => {
    const source = memory({ one: 'hunter2\n\n' });
    const errors: SecretsError[] = [];
    await using store = await SecretStore.open({
      secrets: { one: 'one' },
      sources: [source],
      on: { error: (error) => errors.push(error) },
    });
    const log = record(store);
    for (let round = 0; round < 3; round += 1) await store.refresh();
    expect(errors).toEqual([
      expect.objectContaining({ code: 'VALUE_SUSPECT', secret: 'one', source: 'memory' }),
    ]);
    expect(errors[0]?.message).not.toContain('hunter2');
    expect(store.health()).toMatchObject({
      status: 'degraded',
      secrets: [{ name: 'one', problem: 'VALUE_SUSPECT' }],
    });
    expect(store.report().secrets[0]?.warnings).toEqual(['VALUE_SUSPECT']);
    source.set({ one: 'hunter3\n' });
    await store.refresh();
    expect([store.reveal('one'), store.health().status]).toEqual(['hunter3', 'ok']);
    expect(log.recovered.map(({ code }) => code)).toEqual(['VALUE_SUSPECT']);
  });

  it('reports an undeclared variable once it is read', async () => {
    await using store = await SecretStore.open({ sources: [environment({ API_KEY: '"key"' })] });
    const log = record(store);
    expect(store.reveal('api-key')).toBe('"key"');
    await Promise.resolve();
    await store.refresh();
    expect([log.codes(), store.report().secrets[0]?.warnings]).toEqual([
      ['VALUE_SUSPECT'],
      ['VALUE_SUSPECT'],
    ]);
  });
});
