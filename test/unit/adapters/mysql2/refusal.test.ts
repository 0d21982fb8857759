import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { isTooMany, probeFailure, refusalOf } from '../../../../src/adapters/mysql2/refusal';
import { RefusedLogins } from '../../../../src/adapters/mysql2/refused-logins';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it.each([1045, 1698, 1820, 1862, 3118, 3955, 4150, 4151])(
  'counts error %i as a refused credential',
  (errno) => {
    // The name that mysql2 gives errors of MariaDB.
    const error = Object.assign(new Error('text'), { errno, code: 'ER_BULK_PARSER_ERROR' });
    expect(refusalOf(error)).toContain(String(errno));
    expect(probeFailure('pool', error)).toMatchObject({ code: 'CREDENTIAL_REFUSED' });
  },
);

it.each([1040, 1203, 1226])('counts error %i as a limit, not as a refused credential', (errno) => {
  const error = Object.assign(new Error('text'), { errno });
  expect([isTooMany(error), refusalOf(error)]).toEqual([true, undefined]);
  expect(probeFailure('pool', error)).toMatchObject({ code: 'VERIFY_FAILED' });
});

it.each([
  undefined,
  null,
  'text',
  new Error('text'),
  { errno: 'ECONNREFUSED' },
  { code: 'ER_ACCESS_DENIED_ERROR' },
])('counts no other error as a refused credential: %o', (error) => {
  expect([refusalOf(error), isTooMany(error)]).toEqual([undefined, false]);
});

it('allows three logins with a refused password in a minute and a half, and another password at once', () => {
  const refused = new RefusedLogins();
  const credential = (login: string) => ({ login, account: 'app' }) as never;
  const error = Object.assign(new Error('text'), { errno: 1045 });
  let logins = 0;
  for (let second = 0; second < 90; second += 1) {
    if (refused.tooEarly(credential('old')) === undefined) {
      logins += 1;
      refused.failed(credential('old'), error);
    }
    vi.advanceTimersByTime(1_000);
  }
  expect(logins).toBe(3);
  expect(refused.tooEarly(credential('old'))).toBe(error);
  expect(refused.tooEarly(credential('new'))).toBeUndefined();
  refused.accepted(credential('new'));
  expect(refused.tooEarly(credential('old'))).toBeUndefined();
});
