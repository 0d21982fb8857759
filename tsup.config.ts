import { defineConfig } from 'tsup';

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    pg: 'src/adapters/pg/index.ts',
    tls: 'src/adapters/tls/index.ts',
    https: 'src/adapters/https/index.ts',
    undici: 'src/adapters/undici/index.ts',
    'key-vault': 'src/sources/key-vault/index.ts',
    http: 'src/http/index.ts',
    opentelemetry: 'src/opentelemetry/index.ts',
    express: 'src/frameworks/express.ts',
    fastify: 'src/frameworks/fastify.ts',
    koa: 'src/frameworks/koa.ts',
    hono: 'src/frameworks/hono.ts',
    nestjs: 'src/frameworks/nestjs/index.ts',
    // No entry of users: what Node takes for `#nestjs-common`, of which package.json says more.
    'nestjs-common': 'src/frameworks/nestjs/common.ts',
    testing: 'src/testing/index.ts',
  },
  format: ['esm', 'cjs'],
  external: ['#nestjs-common'],
  target: 'node20',
  platform: 'node',
  dts: true,
  // One copy of shared code per format: without it every CJS entry gets its own classes.
  splitting: true,
  clean: true,
  sourcemap: true,
  treeshake: true,
  esbuildOptions(options, { format }) {
    // CJS has no import.meta. createRequire, its only use, takes a path too; tsup's shim breaks on "#" and "%" in it.
    if (format === 'cjs') options.define = { ...options.define, 'import.meta.url': '__filename' };
  },
});
