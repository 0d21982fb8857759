import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fastify from 'fastify';
import type { SecretStore } from 'hot-secrets';
import pino, { type Logger, type LoggerOptions } from 'pino';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import {
  facts,
  type LoggingStage,
  openLoggingStage,
  parsedLines,
  requestWith,
} from '../support/logging-stage';
import { waitFor } from '../support/wait-for';

const ROTATIONS = 4;

let folder: string;
let file: string;
let stage: LoggingStage;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hot-secrets-pino-'));
  file = join(folder, 'log');
  stage = await openLoggingStage();
});

afterEach(async () => {
  await stage.secrets.close();
  rmSync(folder, { recursive: true, force: true });
});

const masking = (secrets: Pick<SecretStore, 'redact'>): LoggerOptions => ({
  hooks: { streamWrite: (line) => secrets.redact(line) },
});

/** Logs the current value and the earlier ones after each rotation. Returns the number of lines. */
async function logAll(logger: Logger): Promise<number> {
  let lines = 0;
  for (let round = 0; round <= ROTATIONS; round += 1) {
    if (round > 0) await stage.rotate();
    for (const value of stage.values()) {
      const child = logger.child({ bound: value, [value]: 'as a key' }, { msgPrefix: value });
      child.info({ request: requestWith(value), facts: facts(round + 1) }, 'called with %s and %j', value, {
        value,
      });
      child.error(new Error(`refused ${value}`, { cause: new Error(value) }), `failed with ${value}`);
      logger.warn(value);
      lines += 3;
    }
  }
  return lines;
}

describe('pino with redact in streamWrite', () => {
  it('writes lines of pino as JSON without values', async () => {
    const logger = pino(masking(stage.secrets), pino.destination({ dest: file, sync: true }));
    const count = await logAll(logger);
    const written = readFileSync(file, 'utf8');
    stage.assertMasked(written);
    const lines = parsedLines(written);
    expect(lines).toHaveLength(count);
    expect(lines.at(-1)).toMatchObject({ level: 40, msg: '[secret token]' });
    expect(lines[0]).toMatchObject({
      bound: '[secret token]',
      facts: [{ pin: '[secret config]', login: '[secret login]' }],
    });
  });

  it('sends no value to the worker thread of a pino transport', async () => {
    const transport = pino.transport({ target: 'pino/file', options: { destination: file } });
    onTestFinished(() => transport.end());
    const count = await logAll(pino(masking(stage.secrets), transport));
    await waitFor(() => readFileSync(file, 'utf8').split('\n').length === count + 1);
    const written = readFileSync(file, 'utf8');
    stage.assertMasked(written);
    expect(parsedLines(written)).toHaveLength(count);
  });

  it('writes no value of a request as the logger of Fastify', async () => {
    const stream = pino.destination({ dest: file, sync: true });
    const app = fastify({ logger: { ...masking(stage.secrets), stream } });
    app.get('/', (request) => {
      request.log.info({ query: request.query }, 'queried');
      return 'ok';
    });
    for (let round = 0; round <= ROTATIONS; round += 1) {
      if (round > 0) await stage.rotate();
      for (const q of stage.values()) await app.inject({ url: '/', query: { q } });
    }
    await app.close();
    const written = readFileSync(file, 'utf8');
    stage.assertMasked(written);
    expect(parsedLines(written).length).toBeGreaterThan(ROTATIONS * 3);
  });
});
