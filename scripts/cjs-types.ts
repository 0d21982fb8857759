/**
 * Copies the types of the ESM build to the CJS build. They are the same: which format a file describes, TypeScript learns
 * from the `package.json` next to it. Files of the same name and content also compress to half the size in the tarball.
 */
import { copyFileSync, readdirSync } from 'node:fs';

for (const file of readdirSync('dist')) {
  if (file.endsWith('.d.ts')) copyFileSync(`dist/${file}`, `dist/cjs/${file}`);
}
