import { memory, mountedFiles, rotating, SecretStore, secret } from 'hot-secrets';
import { statusHandler } from 'hot-secrets/http';
import { createTestMount } from 'hot-secrets/testing';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { faintTexts, launch, shownText, visit } from '../support/browser';
import { createAuthority } from '../support/certificates';
import { shop } from '../support/status-scenes';
import { addressOf, eventually, isWithoutBrowser, LIVE, open } from '../support/status-stage';
import { record } from '../support/store-log';

const crowd = () =>
  Object.fromEntries(
    Array.from({ length: 300 }, (_, index) => [`team-${index % 7}/credential-${index}`, 'first-value']),
  );

describe.skipIf(isWithoutBrowser())('the status page in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());

  it('updates the status page with each change, without a reload', async () => {
    await using mount = await createTestMount({ user: 'first-user', password: 'first-value', port: '5432' });
    await using store = await SecretStore.open({
      name: 'shop',
      secrets: {
        user: 'user',
        password: 'password',
        port: secret.json('port'),
        beta: secret.text('beta', { env: [] }).optional(),
      },
      sources: [mountedFiles(mount.path)],
    });
    record(store);
    let isGood = true;
    await using pool = rotating(
      store,
      {
        build: (s) => s.reveal('password'),
        verify: () => (isGood ? undefined : Promise.reject(new Error('refused'))),
      },
      { name: 'orders-db', retryBaseMs: 20, retryMaxMs: 50 },
    );
    pool.on('rejected', () => {});
    await pool.ready;
    const url = await addressOf(statusHandler(store, LIVE));
    const { page, troubles, requests } = await visit(browser, url);
    const headline = () => shownText(page.locator('.headline'));
    const row = (name: string) => page.locator('.secret', { has: page.getByRole('button', { name }) });
    const timeline = page.getByRole('region', { name: 'Timeline' });
    const resources = page.getByRole('region', { name: 'Resources' });

    await eventually(headline).toBe('Everything is in order');
    const table = page.getByRole('table', { name: 'Secrets' });
    const headers = await table.getByRole('columnheader').allInnerTexts();
    expect(headers).toEqual(['Name', 'Source', 'Version', 'Loaded', 'Expires']);
    expect(await shownText(row('password'))).toContain('mounted-files');
    expect(await shownText(row('beta'))).toContain('no value');
    expect(await shownText(timeline)).toContain('Nothing has happened since');
    await page.evaluate('globalThis.isSamePage = true');

    for (const [index, value] of ['second-value', 'third-value', 'fourth-value'].entries()) {
      await mount.rotate({ user: `${value}-user`, password: value });
      const drained = `orders-db drained generation ${index + 1}`;
      await eventually(() => shownText(timeline.locator('.event').first())).toContain(drained);
      expect(await shownText(row('password').locator('.version'))).toBe(
        store.get('password').version.slice(0, 8),
      );
      expect(await row('password').getAttribute('class')).toContain('fresh');
      expect(await row('port').getAttribute('class')).not.toContain('fresh');
    }
    expect(await shownText(timeline)).toMatch(/user, password rotated\s+generation 4 · watch/);
    expect(await shownText(resources)).toContain('generation 4');

    isGood = false;
    await mount.rotate({ password: 'fifth-value' });
    await eventually(() => shownText(resources)).toMatch(/rotating.*VERIFY_FAILED/s);
    await mount.rotate({ port: 'not JSON' });
    await eventually(() => shownText(row('port'))).toContain('VALUE_NOT_JSON');
    expect(await headline()).toBe('1 secret and 1 resource need attention');
    expect(await page.title()).toBe('1 secret and 1 resource need attention · shop');
    expect(await shownText(page.locator('.secret').first())).toContain('port');
    isGood = true;
    await mount.rotate({ port: '5433' });
    await eventually(headline).toBe('Everything is in order');

    expect(await page.evaluate('isSamePage')).toBe(true);
    expect(new Set(requests)).toEqual(new Set([url]));
    expect(troubles).toEqual([]);
  });

  it('keeps selection, focus, scroll position and open rows while 300 secrets update', async () => {
    const { source, store } = await open(crowd());
    const { page, troubles } = await visit(browser, await addressOf(statusHandler(store, LIVE)));
    await page.getByRole('button', { name: 'team-3/credential-150', exact: true }).click();
    await page.evaluate(
      `getSelection().selectAllChildren(document.activeElement.querySelector('[data-part=name]'))`,
    );
    const state = () =>
      page.evaluate<unknown[]>(
        `[String(getSelection()), document.activeElement.innerText,
          { scrollY: Math.round(scrollY), isOpen: document.activeElement.ariaExpanded }]`,
      );
    const before = await state();
    expect(before).toMatchObject(['team-3/credential-150', 'team-3/credential-150', { isOpen: 'true' }]);
    for (const value of ['second-value', 'third-value', 'fourth-value']) {
      source.set({ 'team-0/credential-0': value, 'team-3/credential-150': value });
      await store.refresh();
      // The open details show the version.
      await page.getByText(store.get('team-3/credential-150').version, { exact: true }).waitFor();
      expect(await state()).toEqual(before);
    }
    // A problem moves its row to the top.
    source.set({ 'team-6/credential-6': '' });
    await eventually(() => shownText(page.locator('.secret').first())).toContain('VALUE_EMPTY');
    expect(await page.locator('.secret').count()).toBe(300);
    expect((await state()).slice(0, 2)).toEqual(before.slice(0, 2));
    expect(troubles).toEqual([]);
  });

  it('filters 300 secrets by the text of their rows, also as it changes', async () => {
    const { source, store } = await open(crowd());
    source.set({ 'team-1/credential-8': '', 'team-2/credential-9': '' });
    await store.refresh();
    const { page } = await visit(browser, await addressOf(statusHandler(store, LIVE)));
    const shown = () => page.locator('.secret:visible').count();
    const filter = page.getByRole('searchbox', { name: 'Filter secrets' });
    await filter.fill('TEAM-3 credential-1');
    expect(await shown()).toBe(
      Object.keys(crowd()).filter((name) => name.startsWith('team-3/credential-1')).length,
    );
    await filter.fill('value_empty');
    await eventually(shown).toBe(2);
    expect(await page.getByRole('heading', { name: 'Secrets 2 of 300' }).count()).toBe(1);
    // The filter also applies to later changes.
    source.set({ 'team-1/credential-8': 'second-value' });
    await eventually(shown).toBe(1);
    await filter.fill('nothing like that');
    expect(await page.getByText('No secret matches the filter.').isVisible()).toBe(true);
  });

  it.each(['light', 'dark'] as const)(
    'fits all screen widths with WCAG AA contrast and many problems (%s)',
    async (colorScheme) => {
      const scene = await shop({ troubled: true });
      onTestFinished(() => void scene.close());
      const url = await addressOf(scene.page);
      const { page, troubles } = await visit(browser, url, { colorScheme });
      await page.getByRole('button', { name: 'ordersClient' }).click();
      for (const width of [360, 800, 1_100, 1_440]) {
        await page.setViewportSize({ width, height: 800 });
        expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
        expect(await faintTexts(page)).toEqual([]);
        expect(troubles).toEqual([]);
      }
    },
  );

  it('shows markup in names as text', async () => {
    const evil = '<img src=x onerror="globalThis.isHacked=true"></script>';
    const authority = await createAuthority();
    const { chain, key } = await authority.issue({
      commonName: '<script>leaf</script>',
      notAfter: new Date(Date.now() + 86_400_000),
    });
    const source = memory({ 'api-key': 'first-value', pem: chain + key });
    await using store = await SecretStore.open({
      name: `store ${evil}`,
      secrets: { [`secret ${evil}`]: 'api-key', web: secret.tls('pem') },
      sources: [{ ...source, name: `source ${evil}`, location: evil, note: () => evil }],
      expiryThresholdsDays: [],
    });
    record(store);
    const handler = statusHandler(store, LIVE);
    await using resource = rotating(
      store,
      { build: (s) => s.reveal(`secret ${evil}`) },
      { name: `pool ${evil}` },
    );
    await resource.ready;
    const { page, troubles } = await visit(browser, await addressOf(handler));
    await page.getByRole('button', { name: 'web' }).click();
    source.set({ 'api-key': '' });
    await store.refresh();
    await eventually(() => shownText(page.locator('.secret').first())).toContain('VALUE_EMPTY');
    const text = await shownText(page.locator('main'));
    for (const place of ['store', 'secret', 'source', 'pool']) expect(text).toContain(`${place} ${evil}`);
    expect(text).toMatch(/leaf · .*script.*leaf/);
    expect(await page.locator('img, main script').count()).toBe(0);
    expect(await page.evaluate('globalThis.isHacked')).toBeUndefined();
    expect(troubles).toEqual([]);
  });
});
