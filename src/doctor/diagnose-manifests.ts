import { SecretsError } from '../errors';
import type { Diagnosis } from './diagnose';
import { worstOf } from './findings';
import type { ManifestText } from './manifests/read';

/**
 * Finds out what is wrong with the secrets of services before their manifests are applied: environment from Secrets, `subPath`,
 * pinned versions, a missing label or client id of the workload identity, and more. It reads the files, directories (with
 * those below them) and texts, as YAML or JSON, and checks them together. Findings have `place` and `line`.
 *
 * Templates are not checked, but noted: render them first. Values of Secrets and of variables are in no finding.
 *
 * Throws `OPTION_INVALID`. Everything else is a finding.
 *
 * @example
 * ```ts
 * const { level, findings } = await diagnoseManifests(['manifests/', { name: 'helm', text: rendered }]);
 * for (const { code, place, line } of findings) console.log(code, `${place}:${line}`);
 * ```
 */
export async function diagnoseManifests(
  manifests: string | ManifestText | readonly (string | ManifestText)[],
): Promise<Diagnosis> {
  const inputs = (Array.isArray(manifests) ? manifests : [manifests]) as readonly (string | ManifestText)[];
  const isInput = (one: unknown) =>
    typeof one === 'string'
      ? one !== ''
      : typeof (one as ManifestText | null)?.name === 'string' &&
        typeof (one as ManifestText).text === 'string';
  if (inputs.length === 0 || !inputs.every(isInput)) {
    throw new SecretsError(
      'OPTION_INVALID',
      'diagnoseManifests: the manifests must be paths, or texts with a name',
      {
        next: "Pass paths of files or directories, or { name: 'helm', text }.",
      },
    );
  }
  const { checkManifests } = await import('./manifests/check-manifests');
  const { files, objects, findings } = await checkManifests(inputs);
  return {
    level: worstOf(findings),
    findings,
    facts: {
      node: process.versions.node,
      uid: process.geteuid?.(),
      mounts: [],
      manifests: { files, objects },
    },
  };
}
