import { basicAuth, querySecret, statusHandler } from 'hot-secrets/http';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { launch, shownText, visit } from '../support/browser';
import { listen } from '../support/http-server';
import {
  addressOf,
  addressOn,
  eventually,
  isWithoutBrowser,
  LIVE,
  open,
  serverOf,
} from '../support/status-stage';

describe.skipIf(isWithoutBrowser())('the access to the status page', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());

  it('shows in the status page that its process has ended, and continues with the next one', async () => {
    const first = await open({ 'api-key': 'first-value' }, 'first');
    const server = serverOf(statusHandler(first.store, LIVE));
    const port = await listen(server);
    const { page } = await visit(browser, addressOn(port));
    const notice = page.locator('#notice');
    const heading = page.getByRole('heading', { level: 2 });
    await eventually(() => shownText(heading)).toBe('first');
    expect(await notice.isVisible()).toBe(false);

    await first.store.close();
    await eventually(() => shownText(notice)).toContain('its process is about to end');
    server.close();
    server.closeAllConnections();
    await eventually(() => shownText(notice)).toMatch(
      /does not respond. This page shows the state of .*Retrying/,
    );
    expect(await shownText(page.locator('.live'))).toMatch(/^Not live since \d\d:/);
    expect(await page.locator('.secret').count()).toBe(1);

    const second = await open({ 'api-key': 'first-value', other: 'first-value' }, 'second');
    const next = serverOf(statusHandler(second.store, LIVE)).listen(port, '127.0.0.1');
    onTestFinished(() => {
      next.close();
      next.closeAllConnections();
    });
    await eventually(() => shownText(heading)).toBe('second');
    expect(await notice.isVisible()).toBe(false);
    expect(await page.locator('.secret').count()).toBe(2);
    expect(await shownText(page.locator('.live'))).toMatch(/^Live/);
  });

  it('polls with the Basic password of the status page, and shows when that is rotated', async () => {
    const { source, store } = await open({ password: 'first-password' });
    const url = await addressOf(statusHandler(store, { ...LIVE, authorize: basicAuth(store, 'password') }));
    const httpCredentials = { username: 'ops', password: 'first-password' };
    const { page, troubles, requests } = await visit(browser, url, { httpCredentials });
    await eventually(() => page.locator('.secret').count()).toBe(1);
    await eventually(async () => requests.length).toBeGreaterThan(3);
    expect(troubles).toEqual([]);
    source.set({ password: 'second-password' });
    await eventually(() => shownText(page.locator('#notice'))).toContain(
      'Your access expired or was rotated.',
    );
    expect(await page.getByRole('button', { name: 'Reload' }).isVisible()).toBe(true);
  });

  it('polls with the secret in the URL of the status page, and continues once that is valid again', async () => {
    const { source, store } = await open({ code: 'first code+&' });
    const url = await addressOf(statusHandler(store, { ...LIVE, authorize: querySecret(store, 'code') }));
    const { page, troubles, requests } = await visit(
      browser,
      `${url}?code=${encodeURIComponent('first code+&')}`,
    );
    await eventually(() => page.locator('.secret').count()).toBe(1);
    await eventually(async () => requests.length).toBeGreaterThan(3);
    expect([new Set(requests), troubles]).toEqual([new Set([url]), []]);
    source.set({ code: 'second-code' });
    const notice = page.locator('#notice');
    await eventually(() => notice.isVisible()).toBe(true);
    source.set({ code: 'first code+&' });
    await eventually(() => notice.isVisible()).toBe(false);
  });

  it('sends no requests while the tab of the status page is hidden', async () => {
    const { store } = await open({ 'api-key': 'first-value' });
    const url = await addressOf(statusHandler(store, LIVE));
    const { page, requests } = await visit(browser, url, { before: (page) => page.clock.install() });
    await eventually(() => page.locator('.secret').count()).toBe(1);
    const turn = (state: 'hidden' | 'visible') =>
      page.evaluate(
        `Object.defineProperty(document, 'hidden', { configurable: true, value: ${state === 'hidden'} });
         document.dispatchEvent(new Event('visibilitychange'));`,
      );
    await turn('hidden');
    await eventually(() => shownText(page.locator('.live'))).toBe('Paused');
    const before = requests.length;
    await page.clock.runFor(60_000);
    expect(requests.length).toBe(before);
    await turn('visible');
    await eventually(() => shownText(page.locator('.live'))).toMatch(/^Live/);
    expect(requests.length).toBeGreaterThan(before);
  });

  it('shows in the status page that several replicas respond', async () => {
    const { store } = await open({ 'api-key': 'first-value' });
    const handler = statusHandler(store, LIVE);
    let answers = 0;
    const url = await addressOf({
      async node(request, response) {
        const answer = await handler(new Request(`http://shop.example${request.url}`));
        answers += 1;
        for (const [name, value] of answer.headers) response.setHeader(name, value);
        response.end((await answer.text()).replace(/"pid":\d+/, `"pid":${answers % 3}`));
      },
    });
    const { page } = await visit(browser, `${url}?format=html`);
    await eventually(() => shownText(page.locator('#who'))).toContain('one of several replicas');
  });
});
