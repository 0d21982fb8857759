import { createHash } from 'node:crypto';
import pino, { type Logger } from 'pino';
import { memory, SecretStore, secret } from '../support/built';
import { processorTimed } from '../support/processor-time';
import { atMost, type FigureOptions, type FigureResult } from '../support/result';
import { alternate, median, medianRatio, timed } from '../support/statistics';

const SECRETS = 300;
const PREVIOUS = 8;
/** Rotations after which the figure counts: then each secret has all of its previous values. */
const FULL_ROTATIONS = 15;
const MEGABYTE = 1_000_000;
const CHARACTERS_PER_ROUND = 500_000;
const ROUNDS = { full: 61, short: 15 };
const WARM_UP = 5;
const WORST_ROUNDS = 5;
/** Milliseconds. A short run shares its machine, so some of its limits are wider; the square of the time still exceeds them. */
const LIMITS = {
  full: { rotatedOne: 10, rotatedAll: 10, searched: 100, masked: 100, firstOfBytes: 100, firstOfLines: 100 },
  short: { rotatedOne: 10, rotatedAll: 25, searched: 150, masked: 250, firstOfBytes: 100, firstOfLines: 250 },
};

const request = {
  requestId: '0b3f6b0e-58f4-4bd0-9c9e-1f2a8f6f7a10',
  method: 'GET',
  url: '/api/v1/orders/12?page=3',
  statusCode: 200,
  responseTime: 12.5,
  user: 'someone@example.test',
};
const requests = Array.from({ length: 60 }, (_, index) => ({ ...request, index }));

/** What is logged: a typical line, a long line, and a line that is long because it quotes JSON. */
const LINES = { short: request, long: { requests }, quoting: { body: JSON.stringify(requests) } };

type Kind = keyof typeof LINES;

/** Compares the time that pino takes to log to /dev/null with and without `redact`. */
export async function redact({ size }: FigureOptions): Promise<FigureResult> {
  const source = memory(contents(0));
  await using store = await SecretStore.open({ sources: [source], secrets: definitions() });
  const redacted = (text: string) => store.redact(text);
  const firstBuild = await timed(() => redacted('first'));
  const builds: number[] = [];
  for (let generation = 1; generation <= PREVIOUS + FULL_ROTATIONS; generation += 1) {
    source.set(contents(generation));
    await store.refresh();
    builds.push(await processorTimed(() => redacted('first of its generation')));
  }
  const oneBuilds: number[] = [];
  for (let round = 0; round < FULL_ROTATIONS; round += 1) {
    source.set({ ...contents(PREVIOUS + FULL_ROTATIONS), 'password-2': `value-of-round-${round}` });
    await store.refresh();
    oneBuilds.push(await processorTimed(() => redacted('first of its generation')));
  }
  const oldest = contents(FULL_ROTATIONS)['password-3'] as string;
  if (redacted(oldest) === oldest) throw new Error('The value of eight generations ago is not masked.');

  const plain = pino(intoNothing());
  const masking = pino({ hooks: { streamWrite: redacted } }, intoNothing());
  const firstLine = median(builds.slice(-FULL_ROTATIONS));
  const limits = LIMITS[size];
  const checks = [
    atMost(
      limits.rotatedOne,
      'first line after one of 300 secrets with 8 previous values rotated, median processor time',
      median(oneBuilds),
      'ms',
    ),
    atMost(
      limits.rotatedAll,
      'first line after all 300 rotated at once, median processor time',
      firstLine,
      'ms',
    ),
  ];
  const details: Record<string, number> = {};
  for (const [kind, target] of [
    ['short', 2.5],
    ['long', 3],
    ['quoting', 4],
  ] as const) {
    const line = JSON.stringify(LINES[kind]);
    const calls = Math.ceil(CHARACTERS_PER_ROUND / line.length);
    const sides = {
      with: () => processorTimed(() => logAll(masking, kind, calls)),
      without: () => processorTimed(() => logAll(plain, kind, calls)),
      alone: () => processorTimed(() => redactAll(redacted, line, calls)),
    };
    await alternate(WARM_UP, sides);
    const times = await alternate(ROUNDS[size], sides);
    const ratio = medianRatio(times.with, times.without);
    checks.push(
      atMost(target, `pino with redact compared with plain pino, ${kind} lines, median ratio`, ratio),
    );
    details[`${kind} line, characters`] = line.length;
    details[`${kind} line with redact, µs`] = (median(times.with) * 1000) / calls;
    details[`${kind} line without redact, µs`] = (median(times.without) * 1000) / calls;
    details[`redact alone on ${kind} lines, MB/s`] = (line.length * calls) / median(times.alone) / 1000;
  }
  const { searched, masked, firstOfBytes, firstOfLines } = await worstLines();
  const slowest = (what: string, limit: number, times: Readonly<Record<string, number>>) =>
    atMost(limit, `the slowest ${what}, processor time`, Math.max(...Object.values(times)), 'ms');
  checks.push(
    slowest('line of 1 MB with few values or none', limits.searched, searched),
    slowest('line of 1 MB that consists of values', limits.masked, masked),
    slowest('first line with 1 MB of bytes', limits.firstOfBytes, firstOfBytes),
    // Each line is a form of its own: 125,000 of eight characters.
    slowest('first line with 1 MB of lines', limits.firstOfLines, firstOfLines),
  );
  return {
    checks,
    details: {
      ...details,
      ...searched,
      ...masked,
      ...firstOfBytes,
      ...firstOfLines,
      'first call after open(), ms': firstBuild,
      'first call after a rotation of all, slowest ms': Math.max(...builds.slice(-FULL_ROTATIONS)),
      'values masked': SECRETS * (PREVIOUS + 1),
    },
  };
}

/** Times of lines of 1 MB that repeat what the search, the views or the masking must treat with care, in ms. */
async function worstLines() {
  const shared = 'prefix-is-long/'.repeat(20);
  const values = {
    ...Object.fromEntries(
      Array.from({ length: 500 }, (_, index) => [`shared-${index}`, `${shared}${index}`]),
    ),
    repeated: `${'A'.repeat(4000)}B`,
    middle: `${'A'.repeat(500)}B${'A'.repeat(500)}`,
    backslashes: '\\'.repeat(8),
    url: 'postgres://app:s3cr%40t-pass@db/app',
    pin: '123456',
    short: 'dev',
    key: bytesOf(64),
  };
  const names = Object.keys(values);
  const bytes = new Set(['key']);
  await using store = await SecretStore.open({
    sources: [memory(values)],
    secrets: Object.fromEntries(names.map((name) => [name, bytes.has(name) ? secret.bytes(name) : name])),
  });
  store.redact('first');
  const pieces = {
    'the letter A': 'A',
    'a common beginning': shared,
    'escaped backslashes': '\\\\"',
    spaces: ' ',
    quotes: '"',
    'escaped quotes': '\\"',
    'encoded signs': '%25',
    'encoded characters': '%E2%82%AC',
    'unicode escapes': '\\u0041',
    'pairs of hex': 'ab ',
    'pairs of hex with 0x': '0xab, ',
    hex: 'ab',
    numbers: '17, ',
    'one digit and commas': '1,',
    colons: ':',
    'equals signs': '=',
    'a URL': '://a:',
    slashes: '/',
    'words before Basic': 'basic ',
  };
  const valuePieces = {
    backslashes: '\\',
    'keys and values': '"password":"dev",',
    'a value': '123456 ',
    'a list of values': '[123456,',
    'keys and numbers in nested JSON': '{\\"pin\\":123456},',
    'a URL that is a value': values.url,
    'a value after Bearer': 'Bearer dev ',
    'the bytes of a value': `${values.key.join()},`,
  };
  const timesOf = async (all: Readonly<Record<string, string>>) => {
    const times: Record<string, number> = {};
    for (const [name, piece] of Object.entries(all)) {
      const line = piece.repeat(Math.ceil(MEGABYTE / piece.length));
      times[`1 MB of ${name}, ms`] = await often(() => store.redact(line));
      times[`1 MB of ${name} in JSON, ms`] = await often(() => store.redact(`{"msg":"${line}"}`));
    }
    return times;
  };
  const searched = await timesOf(pieces);
  const masked = await timesOf(valuePieces);
  const firstOfBytes: Record<string, number> = {};
  const firstOfLines: Record<string, number> = {};
  for (const [name, large] of [
    ['random bytes', bytesOf(MEGABYTE)],
    ['zeros', Buffer.alloc(MEGABYTE)],
    ['lines', linesOf(64)],
    ['lines of 8 characters', linesOf(8)],
  ] as const) {
    await using other = await SecretStore.open({
      sources: [memory({ large })],
      secrets: { large: secret.bytes('large') },
    });
    const times = name.startsWith('lines') ? firstOfLines : firstOfBytes;
    times[`first line with 1 MB of ${name}, ms`] = await processorTimed(() => other.redact('first'));
    const hex = large.toString('hex', 0, MEGABYTE / 2);
    searched[`1 MB of ${name} in hex, ms`] = await often(() => other.redact(hex));
  }
  return { searched, masked, firstOfBytes, firstOfLines };
}

/** The median processor time of a few calls: the first compiles, and any may meet a collection of garbage. */
async function often(run: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < WORST_ROUNDS; round += 1) times.push(await processorTimed(run));
  return median(times);
}

function linesOf(length: number): Buffer {
  const text = bytesOf(MEGABYTE).toString('base64').slice(0, MEGABYTE);
  return Buffer.from(text.replaceAll(new RegExp(`.{${length}}`, 'g'), '$&\n'));
}

function bytesOf(length: number): Buffer {
  return createHash('shake256', { outputLength: length }).update('bytes').digest();
}

function definitions() {
  return Object.fromEntries(
    Object.keys(contents(0)).map((name) => [name, name.startsWith('json') ? secret.json(name) : name]),
  );
}

/** Passwords that look random but repeat in each run. One in ten is JSON with other values, one in fifty is a key. */
function contents(generation: number): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: SECRETS }, (_, index) => {
      const password = createHash('sha256').update(`${generation} ${index}`).digest('base64');
      if (index % 50 === 1) return [`key-${index}`, `-----BEGIN\n${password}\n${password}\n-----END\n`];
      if (index % 10 > 0) return [`password-${index}`, password];
      return [`json-${index}`, JSON.stringify({ user: `app-${index}`, password, port: 5000 + index })];
    }),
  );
}

function intoNothing() {
  return pino.destination({ dest: '/dev/null', sync: true });
}

function logAll(logger: Logger, kind: Kind, calls: number): void {
  for (let call = 0; call < calls; call += 1) logger.info(LINES[kind], 'request completed');
}

function redactAll(redacted: (text: string) => string, line: string, calls: number): number {
  let length = 0;
  for (let call = 0; call < calls; call += 1) length += redacted(line).length;
  return length;
}
