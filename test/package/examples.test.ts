import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fromRepository, run } from './support/repository';

/** What must be among the lines that an example prints. The demo has a run of its own in CI. */
const EXPECTED: Readonly<Record<string, readonly RegExp[]>> = {
  'quick-start': [
    /^generation 2, found by \w+: user rotated/,
    /^VALUE_EMPTY: /,
    /^recovered from VALUE_EMPTY$/,
  ],
  'key-vault': [
    /^app_blue logs in with version/,
    /^generation 2, found by refresh: database$/,
    /^app_green logs in with version \w+, health is degraded$/,
    /^recovered from VAULT_THROTTLED$/,
  ],
  'https-server': [
    /^clients see [0-9A-F]+, 90 days left$/,
    /^the server uses generation 3$/,
    /expires in 6 days$/,
    /^PRIVATE_KEY_MISMATCH: /,
    /^the server uses generation 4$/,
  ],
};

const names = readdirSync(fromRepository('examples')).filter((name) => name !== 'demo');

describe('the examples', () => {
  it.each(names)('%s ends by itself and prints what it shows', async (name) => {
    const { status, stdout, stderr } = await run(process.execPath, [
      '--import',
      'tsx',
      fromRepository('examples', name, 'main.ts'),
    ]);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const lines = stdout.split('\n');
    for (const expected of EXPECTED[name] ?? [/./]) {
      expect(lines).toContainEqual(expect.stringMatching(expected));
    }
  });
});
