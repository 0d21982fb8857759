import { readdirSync } from 'node:fs';
import { fromRepository } from './repository';

/** The pages of the documentation, without the ones that are generated when the site is built: `docs/errors.md`. */
export const docsPages: readonly string[] = readdirSync(fromRepository('docs'), {
  recursive: true,
  encoding: 'utf8',
})
  .filter((file) => file.endsWith('.md') && !/^(api|\.vitepress)\//.test(file))
  .map((file) => `docs/${file}`)
  .sort();
