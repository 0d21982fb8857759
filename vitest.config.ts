import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

/** Files that replace modules, measure the process, or depend on what packages keep for the whole process. */
const isolated = [
  'test/leaks/*.test.ts',
  'test/unit/{adapters,opentelemetry}/peer.test.ts',
  'test/unit/sources/mounted-files/{unchanged,watch-late,watch-unavailable}.test.ts',
  'test/integration/key-vault-connections.test.ts',
];
/** Files of `npm run test:package`. */
const packed = ['test/package/{tarball,peers,examples}.test.ts'];

/** Files of `npm run test:servers`: bad days and contracts of clients whose servers come from Debian. */
const servers = ['test/integration/{mysql2,redis}-*.test.ts', 'test/contract/mysql2-pool.test.ts'];

export default defineConfig({
  resolve: {
    alias: [
      {
        find: /^hot-secrets\/(pg|mysql2|redis|ioredis|tls|https|undici|keyring|grpc|bearer)$/,
        replacement: source('adapters/$1/index.ts'),
      },
      { find: /^hot-secrets\/(key-vault|tokens)$/, replacement: source('sources/$1/index.ts') },
      { find: /^hot-secrets\/(express|fastify|koa|hono)$/, replacement: source('frameworks/$1.ts') },
      { find: /^hot-secrets\/nestjs$/, replacement: source('frameworks/nestjs/index.ts') },
      { find: /^hot-secrets\/(http|opentelemetry|testing|doctor)$/, replacement: source('$1/index.ts') },
      { find: '#nestjs-common', replacement: source('frameworks/nestjs/common.ts') },
      { find: /^hot-secrets$/, replacement: source('index.ts') },
    ],
  },
  test: {
    pool: 'forks',
    projects: [
      {
        extends: true,
        test: {
          name: 'shared',
          include: ['test/**/*.test.ts'],
          exclude: [...isolated, ...packed, ...servers],
          // A new process for each file would cost a second, most of it for imports.
          isolate: false,
        },
      },
      { extends: true, test: { name: 'isolated', include: isolated } },
      { extends: true, test: { name: 'package', include: packed } },
      { extends: true, test: { name: 'servers', include: servers } },
    ],
    // Most tests wait for servers and timers: two cores have room for three of them.
    maxWorkers: 3,
    setupFiles: ['test/support/clean-up.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
