import { accessSync, constants } from 'node:fs';

const DEFAULT_PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser'];

/** The path of Chromium: `$CHROMIUM_PATH`, or where Debian and Ubuntu install it. `undefined` if there is none. */
export function chromiumPath(): string | undefined {
  const { CHROMIUM_PATH: named } = process.env;
  return (named ? [named] : DEFAULT_PATHS).find(isExecutable);
}

export const NO_CHROMIUM =
  'Chromium was not found. Run "apt-get install chromium", or set CHROMIUM_PATH to its path.';

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
