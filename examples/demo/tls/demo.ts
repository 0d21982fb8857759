import { createAuthority } from '../../../test/support/certificates';
import type { DemoOptions, DemoResult } from '../demo';
import { serveWithHotSecrets } from './hot-secrets';
import { REREAD_EVERY_MS, serveWithInterval, serveWithWatch } from './naive';
import { LIFETIME_MS } from './pairs';
import { brokenPromises, type Comparison, renderReport, summarize } from './report';
import { type Plan, run } from './run';

const SHORT: Plan = { rotations: 5, badPairEvery: 2 };
const FULL: Plan = { rotations: 20, badPairEvery: 4 };

/** A server's certificate rotates under new connections: in two naive ways, then through `attachSecureContext`. */
export async function tlsDemo({ short, color, progress }: DemoOptions): Promise<DemoResult> {
  const plan = short ? SHORT : FULL;
  const bad = Math.floor(plan.rotations / plan.badPairEvery);
  progress.line(
    `An HTTPS server, a process that opens new connections without pause, ${plan.rotations} rotations of the certificate, ${bad} pairs that do not match.`,
  );
  const authority = await createAuthority();
  const watch = await run('naive: fs.watch', serveWithWatch, authority, plan, progress);
  const interval = await run('naive: setInterval', serveWithInterval, authority, plan, progress);
  const hotSecrets = await run('hot-secrets', serveWithHotSecrets, authority, plan, progress);

  const comparison: Comparison = {
    hotSecrets: summarize(hotSecrets),
    watch: summarize(watch),
    interval: summarize(interval),
  };
  progress.line('');
  progress.line(renderReport(comparison, color));
  progress.line('');
  progress.line('  naive: fs.watch = fs.watch(tls.crt, () => server.setSecureContext(the pair, read again))');
  progress.line(
    `  naive: setInterval = the same every ${REREAD_EVERY_MS} ms, which in a service is a minute or more`,
  );
  progress.line(
    `  certificates live ${LIFETIME_MS / 1000} s here: who does not follow is left with one that has expired`,
  );
  const { hotSecrets: figures, ...naive } = comparison;
  return { figures: { ...figures, naive }, broken: brokenPromises(figures) };
}
