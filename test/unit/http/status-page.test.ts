import { describe, expect, it } from 'vitest';
import { PAGE } from '../../../src/http/status/page/page.generated';
import { fromRepository, run } from '../../package/support/repository';

describe('the generated status page', () => {
  it('matches what its HTML, CSS and browser script generate', async () => {
    const tsx = fromRepository('node_modules/.bin/tsx');
    const { status, stdout, stderr } = await run(tsx, [fromRepository('scripts/status-page.ts'), '--check']);
    expect(status, stdout + stderr).toBe(0);
  }, 60_000);

  it('creates no markup from text in the status page', () => {
    expect(PAGE).not.toMatch(
      /innerHTML|outerHTML|insertAdjacentHTML|setHTML|document\.write|\beval\b|Function\(/,
    );
  });

  it('contains each placeholder of the status page as often as the handler fills it', () => {
    expect(PAGE.match(/NONCE/g)).toHaveLength(2);
    expect(PAGE.match(/REFRESH_MS/g)).toHaveLength(1);
  });
});
