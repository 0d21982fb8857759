import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import winston, { type Logform, type Logger } from 'winston';
import {
  facts,
  type LoggingStage,
  openLoggingStage,
  parsedLines,
  requestWith,
} from '../support/logging-stage';

const ROTATIONS = 4;
const MESSAGE = Symbol.for('message');

let stage: LoggingStage;
let written: string;

beforeEach(async () => {
  written = '';
  stage = await openLoggingStage();
});

afterEach(() => stage.secrets.close());

function masked(): Logform.Format {
  const format = winston.format((info) => {
    info[MESSAGE] = stage.secrets.redact(String(info[MESSAGE]));
    return info;
  });
  return format();
}

function loggerOf(...formats: Logform.Format[]): Logger {
  const stream = new Writable({
    write(chunk, _encoding, done) {
      written += String(chunk);
      done();
    },
  });
  return winston.createLogger({
    level: 'silly',
    format: winston.format.combine(...formats, masked()),
    transports: [new winston.transports.Stream({ stream })],
  });
}

/** Logs the current value and the earlier ones after each rotation. Returns the number of lines. */
async function logAll(logger: Logger): Promise<number> {
  let lines = 0;
  for (let round = 0; round <= ROTATIONS; round += 1) {
    if (round > 0) await stage.rotate();
    for (const value of stage.values()) {
      const child = logger.child({ bound: value });
      child.info('called with %s and %j', value, { value }, { request: requestWith(value) });
      child.error(new Error(`refused ${value}`, { cause: new Error(value) }));
      logger.warn(value, { facts: facts(round + 1) });
      logger.log({ level: 'debug', message: value, [value]: value });
      lines += 4;
    }
  }
  return lines;
}

describe('winston with redact as its last format', () => {
  it('writes lines of winston as JSON without values, with json, errors and splat', async () => {
    const { errors, json, splat, timestamp } = winston.format;
    const count = await logAll(loggerOf(errors({ stack: true }), splat(), timestamp(), json()));
    stage.assertMasked(written);
    const lines = parsedLines(written);
    expect(lines).toHaveLength(count);
    expect(lines.at(-1)).toMatchObject({ message: '[secret token]' });
    expect(lines.find(({ facts }) => facts !== undefined)).toMatchObject({
      facts: [{ pin: '[secret config]', login: '[secret login]' }],
    });
  });

  it('writes no value with the winston format printf', async () => {
    const { errors, printf, splat } = winston.format;
    await logAll(
      loggerOf(
        errors({ stack: true }),
        splat(),
        printf(
          ({ level, message, stack, ...rest }) => `${level}: ${message} ${stack} ${JSON.stringify(rest)}`,
        ),
      ),
    );
    stage.assertMasked(written);
  });

  it('writes no value with the winston format prettyPrint', async () => {
    await logAll(loggerOf(winston.format.prettyPrint({ depth: 9 })));
    stage.assertMasked(written);
  });
});
