import { describe, expect, it } from 'vitest';
import { assertNumber, closestNames, rejectUnknownOptions } from '../../../src/internal/options';

describe('options', () => {
  it('refuses an unknown option and names the nearest option, or all of them', () => {
    const known = ['pollIntervalMs', 'maxFileBytes'];
    expect(() => rejectUnknownOptions('f', { pollInterval: 1 }, known)).toThrow(
      'f has no option "pollInterval". Did you mean "pollIntervalMs"?',
    );
    expect(() => rejectUnknownOptions('f', { zzz: 1 }, known)).toThrow(
      'The options are: pollIntervalMs, maxFileBytes.',
    );
    expect(() => rejectUnknownOptions('f', { maxFileBytes: 1 }, known)).not.toThrow();
  });

  it.each([Number.NaN, -1, '5', null, Number.NEGATIVE_INFINITY])('refuses %o for a duration', (value) => {
    expect(() => assertNumber('f', 'waitMs', value)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    );
  });

  it.each([0, 1, Number.POSITIVE_INFINITY])('accepts %s for a duration', (value) => {
    expect(() => assertNumber('f', 'waitMs', value)).not.toThrow();
  });
});

describe('closestNames', () => {
  it('finds the nearest names regardless of case and separators, and no unrelated ones', () => {
    const names = ['DATABASE_PASSWORD', 'database-user', 'unrelated'];
    expect(closestNames('databasePasswort', names, 3)).toEqual(['DATABASE_PASSWORD']);
    expect(closestNames('xyz', names, 3)).toEqual([]);
  });
});
