import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type DefaultTheme, defineConfig, type MarkdownOptions } from 'vitepress';
import { pagesByTask } from './pages';

const docs = fileURLToPath(new URL('..', import.meta.url));

function group(text: string, items: Readonly<Record<string, string>>): DefaultTheme.SidebarItem {
  return {
    text,
    collapsed: false,
    items: Object.entries(items).map(([page, title]) => ({ text: title, link: `/${page}` })),
  };
}

const sidebar = Object.entries(pagesByTask).map(([task, pages]) => group(task, pages));

/** The anchors that GitHub gives to headings, so that a link works there and here. */
function anchorOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\- _]/gu, '')
    .replace(/ /g, '-');
}

/** Links to files outside of the site, such as examples, stay as text: only the repository has those files. */
const textOfOutsideLinks: NonNullable<MarkdownOptions['config']> = (md) => {
  md.core.ruler.push('outside-links', ({ tokens, env }) => {
    const from = dirname(String((env as { relativePath?: string }).relativePath));
    for (const { children } of tokens) {
      let isOutside = false;
      for (const token of children ?? []) {
        if (token.type === 'link_open') {
          const path = decodeURI(String(token.attrGet('href'))).split('#', 1)[0] as string;
          isOutside = !/^([a-z]+:|\/|$)/.test(path) && normalize(join(from, path)).startsWith('..');
        }
        if (!isOutside || !/^link_(open|close)$/.test(token.type)) continue;
        if (token.type === 'link_close') isOutside = false;
        token.type = 'text';
        token.content = '';
        token.nesting = 0;
      }
    }
  });
};

/** Vue would evaluate braces in a page, such as those of Helm and Vault. */
const bracesAsText: NonNullable<MarkdownOptions['config']> = ({ renderer: { rules } }) => {
  for (const rule of ['text', 'code_inline']) {
    const render = rules[rule];
    rules[rule] = (...args) => render?.(...args).replaceAll('{{', '&#123;&#123;') ?? '';
  }
};

export default defineConfig({
  title: 'hot-secrets',
  description: 'Secrets that rotate under a running Node service',
  lang: 'en',
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  cleanUrls: true,
  // In development the API pages may not have been generated.
  ignoreDeadLinks: existsSync(join(docs, 'api')) ? false : [/^(\.?\/)?api\//],
  markdown: {
    anchor: { slugify: anchorOf },
    config: (md) => [textOfOutsideLinks, bracesAsText].map((change) => change(md)),
  },
  themeConfig: {
    nav: [
      { text: 'Getting started', link: '/getting-started' },
      { text: 'Configuration', link: '/reference/configuration' },
      { text: 'Errors', link: '/errors' },
    ],
    sidebar,
    outline: [2, 3],
    search: { provider: 'local' },
    footer: { message: 'MIT license' },
  },
});
