// Takes screenshots of the status page: `npx tsx test/support/status-shots.ts <folder>`.
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { chromiumPath, NO_CHROMIUM } from './chromium';
import { crowd, pair, quiet, type Scene, shop } from './status-scenes';

const DESKTOP = { width: 1440, height: 900 };
const TABLET = { width: 900, height: 1100 };
const PHONE = { width: 360, height: 780 };

type Scheme = 'light' | 'dark';

async function shoot(
  browser: Browser,
  scene: () => Promise<Scene>,
  shots: readonly (readonly [
    name: string,
    viewport: typeof PHONE,
    scheme: Scheme,
    options?: { full?: boolean; open?: string; rotated?: boolean; gone?: boolean },
  ])[],
): Promise<void> {
  const { page: handler, rotate, close } = await scene();
  const server = createServer(handler.node);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  for (const [
    name,
    viewport,
    colorScheme,
    { full = false, open, rotated = false, gone = false } = {},
  ] of shots) {
    const context = await browser.newContext({ viewport, colorScheme, deviceScaleFactor: 2 });
    const page = await context.newPage();
    page.on('console', (message) => console.log(name, message.type(), message.text()));
    page.on('pageerror', (error) => console.log(name, error));
    await page.goto(url);
    await page.locator('.secret').first().waitFor();
    if (open !== undefined) await page.getByRole('button', { name: open, exact: true }).click();
    if (rotated) {
      await rotate?.();
      await page.locator('.fresh').first().waitFor();
    }
    if (gone) {
      server.close();
      server.closeAllConnections();
      await page.locator('#notice:visible').waitFor();
    }
    await page.screenshot({ path: join(folder, `${name}.png`), fullPage: full });
    await context.close();
  }
  server.close();
  server.closeAllConnections();
  await close();
}

const folder = process.argv[2] ?? 'status-shots';
const executablePath = chromiumPath();
if (executablePath === undefined) throw new Error(NO_CHROMIUM);
mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
await shoot(browser, () => shop(), [
  ['desktop-light', DESKTOP, 'light'],
  ['desktop-dark', DESKTOP, 'dark'],
  ['tablet-light', TABLET, 'light'],
  ['phone-light', PHONE, 'light', { full: true }],
  ['phone-dark', PHONE, 'dark', { full: true }],
  ['phone-open', PHONE, 'light', { open: 'web' }],
  ['desktop-open', DESKTOP, 'light', { open: 'web' }],
  ['rotated-light', DESKTOP, 'light', { rotated: true }],
]);
await shoot(browser, () => shop({ troubled: true }), [
  ['trouble-light', DESKTOP, 'light'],
  ['trouble-dark', DESKTOP, 'dark'],
  ['trouble-phone', PHONE, 'dark', { full: true }],
]);
await shoot(browser, crowd, [
  ['crowd-light', DESKTOP, 'light'],
  ['crowd-phone', PHONE, 'light'],
]);
await shoot(browser, quiet, [['quiet-light', DESKTOP, 'light']]);
await shoot(browser, pair, [['pair-light', DESKTOP, 'light', { full: true }]]);
await shoot(browser, () => shop(), [['gone-light', DESKTOP, 'light', { gone: true }]]);
await browser.close();
