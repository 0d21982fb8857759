import { defineConfig } from 'tsup';

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    pg: 'src/adapters/pg/index.ts',
    testing: 'src/testing/index.ts',
  },
  format: ['esm', 'cjs'],
  target: 'node20',
  platform: 'node',
  dts: true,
  // One copy of shared code per format: without it every CJS entry gets its own classes.
  splitting: true,
  shims: true,
  clean: true,
  sourcemap: true,
  treeshake: true,
});
