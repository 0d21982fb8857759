import { accessSync, constants } from 'node:fs';

const USUAL = ['/usr/bin/chromium', '/usr/bin/chromium-browser'];

/** Where Chromium is: `$CHROMIUM_PATH`, else where Debian and Ubuntu put it; `undefined` where there is none. */
export function chromiumPath(): string | undefined {
  const { CHROMIUM_PATH: named } = process.env;
  return (named ? [named] : USUAL).find(isExecutable);
}

export const NO_CHROMIUM =
  'There is no Chromium: apt-get install chromium, or set CHROMIUM_PATH to where it is installed.';

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
