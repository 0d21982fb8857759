import { expect, test } from 'vitest';
import type { FileReading } from '../../../../src/sources/mounted-files/read-file';
import { Rest } from '../../../../src/sources/mounted-files/read-plain';

const HOUR_MS = 3_600_000;

test('counts a change as new although the newest timestamp is an hour old and stays the same', () => {
  const changedAtMs = Date.now() - HOUR_MS;
  const readings = (mark: string): ReadonlyMap<string, FileReading> =>
    new Map([
      [
        'user',
        {
          status: 'found',
          bytes: Buffer.from(mark),
          origin: 'user',
          mark,
          changedAtMs,
          appearedAtMs: changedAtMs,
        },
      ],
    ]);
  const rest = new Rest();
  expect(rest.of(readings('first'))).toBeGreaterThanOrEqual(HOUR_MS);
  expect(rest.of(readings('second'))).toBeLessThan(60_000);
});
