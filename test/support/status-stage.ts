import { createServer } from 'node:http';
import { memory, SecretStore } from 'hot-secrets';
import type { statusHandler } from 'hot-secrets/http';
import { expect, onTestFinished } from 'vitest';
import { chromiumPath, NO_CHROMIUM } from './chromium';
import { listen } from './http-server';
import { record } from './store-log';

const PATH = '/ops/-/secrets';

/** Admits every request, and polls often. */
export const LIVE = { authorize: () => true, refreshMs: 250 };

/** Waits until a page shows what is expected. */
export const eventually = <T>(shown: () => Promise<T>) => expect.poll(shown, { timeout: 15_000 });

/** Skips tests without a browser, with a warning; in CI they fail instead. */
export function isWithoutBrowser(): boolean {
  const isMissing = chromiumPath() === undefined && !process.env.CI;
  if (isMissing) console.warn(`The status page is not tested. ${NO_CHROMIUM}`);
  return isMissing;
}

/** Serves a handler at one path only. */
export function serverOf({ node }: Pick<ReturnType<typeof statusHandler>, 'node'>) {
  return createServer((request, response) => {
    if (request.url?.split('?', 1)[0] === PATH) void node(request, response);
    else response.writeHead(404).end();
  });
}

export const addressOn = (port: number): string => `http://127.0.0.1:${port}${PATH}`;

/** Serves a handler until the test ends, and resolves with its address. */
export async function addressOf(handler: Pick<ReturnType<typeof statusHandler>, 'node'>): Promise<string> {
  return addressOn(await listen(serverOf(handler)));
}

/** Opens a store with one source in memory, and closes it with the test. */
export async function open(values: Record<string, string>, name = 'shop') {
  const source = memory(values);
  const store = await SecretStore.open({ name, sources: [source] });
  onTestFinished(() => store.close());
  record(store);
  return { source, store };
}
