import { memory, SecretStore, type SecretStore as Secrets, secret } from 'hot-secrets';
import { expect } from 'vitest';
import { base64Around, encodings, holds } from './encodings';

const PREVIOUS = 8;
const FIRST_PIN = 73_914_260;

/** A store whose values rotate, and a check of its log output. */
export interface LoggingStage {
  readonly secrets: Secrets<{ readonly token: string }>;
  rotate(): Promise<void>;
  /** The current value, followed by earlier ones. */
  values(): readonly string[];
  /** Fails if `written` holds a current or earlier value in any encoding. */
  assertMasked(written: string): void;
}

/** Opens a store with a text, a number in JSON and a short value. */
export async function openLoggingStage(): Promise<LoggingStage> {
  let round = 0;
  const served: string[] = [];
  const next = () => {
    served.unshift(`leak-"marker"/é<&>+ %😀-${round}`);
    return {
      token: served[0] as string,
      config: JSON.stringify({ pin: FIRST_PIN + round }),
      login: `l${round}`,
    };
  };
  const source = memory(next());
  const secrets = await SecretStore.open({
    secrets: { token: 'token', config: secret.json('config'), login: 'login' },
    sources: [source],
  });
  return {
    secrets,
    async rotate() {
      round += 1;
      source.set(next());
      await secrets.refresh();
    },
    values: () => served.slice(0, PREVIOUS + 1),
    assertMasked(written) {
      for (const [index, value] of served.entries()) {
        expect(holds(written, value), `value ${index}`).toBe(false);
        expect(written.includes(`${FIRST_PIN + index}`), `number ${index}`).toBe(false);
        expect(written.includes(`"l${index}"`), `short value ${index}`).toBe(false);
      }
      expect(written).toContain('[secret token]');
    },
  };
}

/** A request with the value wherever programs put one: nested, in headers, in URLs and in bodies. */
export function requestWith(value: string): object {
  return {
    headers: {
      authorization: `Bearer ${value}`,
      'proxy-authorization': `Basic ${base64Around(value, 'user:', '')}`,
    },
    url: `https://user:${encodeURIComponent(value)}@host.test/?${new URLSearchParams({ q: value })}`,
    body: JSON.stringify({ token: value, deep: JSON.stringify({ token: value }) }),
    forms: Object.values(encodings).map((encode) => ({ [encode(value)]: [encode(value)] })),
  };
}

/** The numbers and the short values of the first rounds. */
export function facts(rounds: number): object[] {
  return Array.from({ length: rounds }, (_, round) => ({ pin: FIRST_PIN + round, login: `l${round}` }));
}

/** Parses every line of a log as JSON. */
export function parsedLines(written: string): Record<string, unknown>[] {
  return written
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
