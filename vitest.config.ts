import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^hot-secrets\/(pg|tls|https|undici)$/, replacement: source('adapters/$1/index.ts') },
      { find: /^hot-secrets\/key-vault$/, replacement: source('sources/key-vault/index.ts') },
      { find: /^hot-secrets\/(express|fastify|koa|hono)$/, replacement: source('frameworks/$1.ts') },
      { find: /^hot-secrets\/nestjs$/, replacement: source('frameworks/nestjs/index.ts') },
      { find: /^hot-secrets\/(http|opentelemetry|testing|doctor)$/, replacement: source('$1/index.ts') },
      { find: '#nestjs-common', replacement: source('frameworks/nestjs/common.ts') },
      { find: /^hot-secrets$/, replacement: source('index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Most tests wait for servers and timers: two cores have room for three of them.
    maxWorkers: 3,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
