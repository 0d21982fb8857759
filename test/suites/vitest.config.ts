import { createRequire } from 'node:module';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** What the suites import from the folder with the packed package, instead of from the repository. */
const INSTALLED = /^(hot-secrets|kysely|pg|pg-cursor)(\/|$)/;
const installed = createRequire(join(process.env.SUITES_CONSUMER as string, 'importer.js'));

export default defineConfig({
  plugins: [
    {
      name: 'packed-package',
      enforce: 'pre',
      // Vite would resolve these names from here: this repository is a package of the same name.
      resolveId: (name) => (INSTALLED.test(name) ? installed.resolve(name) : undefined),
    },
  ],
  test: {
    root: import.meta.dirname,
    include: ['**/*.suite.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
