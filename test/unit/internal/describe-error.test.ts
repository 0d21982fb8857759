import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { describeError, errorCode } from '../../../src/internal/describe-error';

const MARKER = 'marker-value';

describe('describeError', () => {
  it('describes an error by its name, its code and where it was thrown, without its message', () => {
    const error = Object.assign(new TypeError(`bad input ${MARKER}`), { code: 'ERR_PARSE', value: MARKER });
    expect(describeError(error)).toMatch(/^TypeError \(ERR_PARSE\) at \S*describe-error\.test\.ts:\d+:\d+$/);
  });

  it('ignores messages that look like stack frames', () => {
    const error = new Error(`first line\n    at ${MARKER} (/${MARKER}.ts:1:1)`);
    expect(describeError(error)).not.toContain(MARKER);
    error.stack = `Error: another text\n    at f (/${MARKER}.ts:1:1)`;
    expect(describeError(error)).toBe('Error');
  });

  it('drops names and codes that are not identifiers', () => {
    const error = Object.assign(new Error('x'), {
      name: `a ${MARKER}`,
      code: `b ${MARKER}`,
      stack: undefined,
    });
    expect([describeError(error), errorCode(error)]).toEqual(['Error', undefined]);
  });

  it('drops names, codes and places that only look like those of an error', () => {
    for (const made of [
      'CorrectHorseBattery',
      'sk_live_4eC39HqLyjWDarjt',
      'AKIAIOSFODNN7EXAMPLE',
      'hunter2222',
    ]) {
      const error = Object.assign(new Error(''), {
        name: made,
        code: made,
        stack: `Error\n    at ${made}:1:1`,
      });
      expect([describeError(error), errorCode(error)]).toEqual(['Error', undefined]);
      error.stack = `Error: changed\n    at /${made}:1:1`;
      expect(describeError(error)).toBe('Error');
    }
  });

  it.each(['ENOENT', 'ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', '28P01', 'P1001', 'ER_ACCESS_DENIED_ERROR'])(
    'repeats the code %s of a system, a server or a client',
    (code) => {
      expect(describeError(Object.assign(new Error('x'), { code, stack: '' }))).toBe(`Error (${code})`);
    },
  );

  it('describes an error of another realm like one of this realm', () => {
    expect(describeError(runInNewContext('new TypeError("x")'))).toMatch(/^TypeError/);
  });

  it.each([
    ['a thrown string', MARKER],
    ['a thrown null', null],
    ['a thrown undefined', undefined],
    ['a thrown object', { message: MARKER }],
  ])('describes a value that is not an error as "%s"', (expected, thrown) => {
    expect(describeError(thrown)).toBe(expected);
  });

  it('describes errors whose properties throw or have the wrong type', () => {
    const throwing = Object.defineProperty(new Error('x'), 'name', {
      get() {
        throw new Error('marker-value');
      },
    });
    const { proxy, revoke } = Proxy.revocable(new Error('x'), {});
    revoke();
    for (const error of [Object.assign(new Error('x'), { stack: null }), throwing, proxy]) {
      expect(describeError(error)).toMatch(/^(an error|Error|a thrown)/);
    }
  });
});
