import { describe, expect, it } from 'vitest';
import { assertNumber, closestNames, rejectUnknownOptions } from '../../../src/internal/options';

describe('options', () => {
  it('are refused when unknown, naming the nearest option or all of them', () => {
    const known = ['pollIntervalMs', 'maxFileBytes'];
    expect(() => rejectUnknownOptions('f', { pollInterval: 1 }, known)).toThrow(
      'f has no option "pollInterval". Did you mean "pollIntervalMs"?',
    );
    expect(() => rejectUnknownOptions('f', { zzz: 1 }, known)).toThrow(
      'The options are: pollIntervalMs, maxFileBytes.',
    );
    expect(() => rejectUnknownOptions('f', { maxFileBytes: 1 }, known)).not.toThrow();
  });

  it.each([Number.NaN, -1, '5', null, Number.NEGATIVE_INFINITY])(
    'are refused when they are not numbers: %s',
    (value) => {
      expect(() => assertNumber('f', 'waitMs', value)).toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID' }),
      );
    },
  );

  it.each([0, 1, Number.POSITIVE_INFINITY])('are accepted when they are numbers: %s', (value) => {
    expect(() => assertNumber('f', 'waitMs', value)).not.toThrow();
  });
});

describe('the nearest names', () => {
  it('come first, whatever their case and separators, without unrelated ones', () => {
    const names = ['DATABASE_PASSWORD', 'database-user', 'unrelated'];
    expect(closestNames('databasePasswort', names, 3)).toEqual(['DATABASE_PASSWORD']);
    expect(closestNames('xyz', names, 3)).toEqual([]);
  });
});
