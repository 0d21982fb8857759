import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from 'playwright-core';
import { onTestFinished } from 'vitest';
import { chromiumPath, NO_CHROMIUM } from './chromium';

/** A page of a real browser, with its errors and its requests. */
export interface Opened {
  readonly page: Page;
  /** Console errors and warnings, exceptions, and failed requests. */
  readonly troubles: string[];
  /** The URLs of all requests, without their query. */
  readonly requests: string[];
}

export async function launch(): Promise<Browser> {
  const executablePath = chromiumPath();
  if (executablePath === undefined) throw new Error(NO_CHROMIUM);
  return chromium.launch({ executablePath, args: ['--no-sandbox'] });
}

/** Opens a URL in a new browser context, which closes when the test ends. */
export async function visit(
  browser: Browser,
  url: string,
  options: BrowserContextOptions & { readonly before?: (page: Page) => Promise<unknown> } = {},
): Promise<Opened> {
  const { before, ...contextOptions } = options;
  const context = await browser.newContext(contextOptions);
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const troubles: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) troubles.push(message.text());
  });
  page.on('pageerror', (error) => troubles.push(String(error)));
  page.on('requestfailed', (request) => troubles.push(`${request.url()} ${request.failure()?.errorText}`));
  page.on('request', (request) => requests.push(request.url().split('?', 1)[0] as string));
  await before?.(page);
  await page.goto(url);
  return { page, troubles, requests };
}

/** The visible text. */
export function shownText(locator: Locator): Promise<string> {
  // biome-ignore lint/performance/useDomNodeTextContent: A locator is not a node, and hidden text must not count.
  return locator.innerText();
}

/** The texts whose contrast is below 4.5, the minimum of WCAG level AA. */
export function faintTexts(page: Page): Promise<unknown> {
  return page.evaluate(`(() => {
    const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    const luminance = (colour) => {
      const [red, green, blue] = colour.map((value) => linear(value / 255));
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const ground = (element) => {
      const colour = numbers(getComputedStyle(element).backgroundColor);
      return colour[3] === 0 ? ground(element.parentElement) : colour;
    };
    const contrast = (element) => {
      const pair = [numbers(getComputedStyle(element).color), ground(element)].map(luminance);
      return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    };
    const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    return [...document.querySelectorAll('body *')]
      .filter((element) => element.checkVisibility() && hasText(element) && contrast(element) < 4.5)
      .map((element) => element.textContent);
  })()`);
}
