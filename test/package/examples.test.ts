import { existsSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fromRepository, run } from './support/repository';

/** Lines that each example has to print. CI runs the demo separately. */
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
  'express-pg': [
    /^the database refuses the file's password: /,
    /^generation 2, found by [\w-]+: \d+ requests served, 0 failed$/,
    /^generation 4, found by [\w-]+: \d+ requests served, 0 failed$/,
    /^ready: \{"healthy":true,"status":"ok","generation":4,/,
    /^reload: 401 /,
    /^reload: 200 \{"generation":5,"changed":\["partnerKey"\],"status":"ok"\}$/,
    /^total: \d+ requests served, 0 failed$/,
  ],
  'fastify-tls': [
    /^onRotate: generation 4 changed web, user, key$/,
    /^PRIVATE_KEY_MISMATCH: /,
    /^new connections see web-4, the open connection still sees web-1$/,
    /^ready: 200 \{"healthy":true,"status":"degraded","generation":4,/,
    /^new connections see web-5, the open connection still sees web-1$/,
    /^total: \d+ requests served, 0 failed$/,
    /^the store closed at generation 5$/,
  ],
  nest: [
    /^refused to start: SECRET_MISSING \(opsPassword\)$/,
    /^onRotate: generation 4 changed apiUser, apiPassword, signingKey$/,
    /^VALUE_EMPTY: /,
    /^ready: 200 \{"healthy":true,"status":"degraded","generation":4,/,
    /^status page without a password: 401$/,
    /^total: \d+ requests served, 0 failed, 4 signing keys$/,
    /^the store closed at generation 4$/,
  ],
  sighup: [
    /^generation 4, found by sighup$/,
    /^100 signals, reads: \d$/,
    /^the service has version [\w-]{6} of generation [5-9]$/,
  ],
};

/** Those that run by themselves: examples/aks needs a cluster, or its own test. */
const names = readdirSync(fromRepository('examples')).filter(
  (name) => name !== 'demo' && existsSync(fromRepository('examples', name, 'main.ts')),
);

describe('the examples', () => {
  // One of them starts PostgreSQL, which takes long on a busy machine.
  it.each(names)(
    'runs the example %s to its end and prints its results',
    { timeout: 60_000 },
    async (name) => {
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
    },
  );
});
