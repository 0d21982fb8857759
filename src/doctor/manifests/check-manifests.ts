import { type Finding, sorted } from '../findings';
import { checkClass } from './check-classes';
import { checkContainers } from './check-containers';
import { checkFederation, checkIdentity } from './check-identity';
import { checkRotation } from './check-rotation';
import { checkConfigMap, checkSecret } from './check-secrets';
import { checkVolumes } from './check-volumes';
import { type ManifestText, readManifests } from './read';
import { Cluster } from './resources';

export interface CheckedManifests {
  readonly files: number;
  readonly objects: number;
  readonly findings: readonly Finding[];
}

/** Reads the manifests and runs every check on them, as on one cluster. */
export async function checkManifests(inputs: readonly (string | ManifestText)[]): Promise<CheckedManifests> {
  const { files, resources, findings } = await readManifests(inputs);
  const cluster = new Cluster(resources);
  const found = [
    ...findings,
    ...cluster.workloads.flatMap((one) => [
      ...checkContainers(cluster, one),
      ...checkVolumes(cluster, one),
      ...checkIdentity(cluster, one),
    ]),
    ...cluster.ofKind('SecretProviderClass').flatMap((one) => checkClass(cluster, one)),
    ...checkFederation(cluster),
    ...checkRotation(cluster),
    ...cluster.ofKind('ConfigMap').flatMap((one) => checkConfigMap(one)),
  ];
  for (const one of cluster.ofKind('Secret')) found.push(...(await checkSecret(one)));
  return { files, objects: resources.length, findings: sorted(unique(found)) };
}

/** Several pods with the same volume find the same fault of its SecretProviderClass. */
function unique(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((one) => [JSON.stringify(one), one])).values()];
}
