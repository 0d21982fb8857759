import type { Finding } from '../findings';
import type { Field } from './fields';
import { at, type Cluster, inSameNamespace, isPlaceholder, type Resource, type Workload } from './resources';

const LABEL = 'azure.workload.identity/use';
const CLIENT_ID = 'azure.workload.identity/client-id';

/** Checks that the pods of a workload get their workload identity, if they are meant to have one. */
export function checkIdentity(cluster: Cluster, workload: Workload): Finding[] {
  const { where, spec, metadata, root } = workload;
  const label = metadata.get('labels', LABEL);
  const name = accountOf(workload);
  const account = cluster.find('ServiceAccount', name, workload);
  const field = spec.get(spec.get('serviceAccountName').exists ? 'serviceAccountName' : 'serviceAccount');
  const found = account === undefined ? cluster.elsewhere('ServiceAccount', name, workload, field) : [];
  const hasClientId = account?.root.get('metadata', 'annotations', CLIENT_ID).exists === true;
  if (!label.exists) {
    const elsewhere = [
      [root.get('metadata', 'labels', LABEL), 'which is only on the object'],
      [metadata.get('annotations', LABEL), 'which is only an annotation'],
      [account?.root.get('metadata', 'labels', LABEL), 'which is only on the service account'],
    ] as const;
    const [misplaced, reason] = elsewhere.find(([one]) => one?.exists) ?? [];
    if (misplaced !== undefined) {
      found.push(at(misplaced, 'IDENTITY_LABEL_MISSING', { where, reason: `${reason}` }));
    } else if (hasClientId) {
      const args = { where, reason: `although the service account "${name}" has a client id` };
      found.push(at(metadata.get('labels'), 'IDENTITY_LABEL_MISSING', args));
    } else if (usesClientId(cluster, workload)) {
      const args = { where, reason: 'which matters if they read the vault themselves' };
      found.push(at(metadata.get('labels'), 'IDENTITY_LABEL_MISSING', args, 'note'));
    }
    return found;
  }
  if (label.value === 'false') return found;
  if (label.value !== 'true') return [...found, at(label, 'IDENTITY_LABEL_INVALID', { where })];
  const isGiven = workload.containers.some(({ root: container }) =>
    container.get('env').items.some((one) => one.get('name').text === 'AZURE_CLIENT_ID'),
  );
  // Another service account may be elsewhere; the default one has no annotation, unless somebody adds it.
  const isKnown = account !== undefined || name === 'default';
  if (!isGiven && !hasClientId && isKnown && found.length === 0) {
    found.push(
      at(account === undefined ? field : metadataOf(account), 'IDENTITY_CLIENT_ID_MISSING', { where, name }),
    );
  }
  return found;
}

function metadataOf({ root }: Resource): Field {
  const metadata = root.get('metadata');
  return metadata.get('annotations').exists ? metadata.get('annotations') : metadata.get('name');
}

function accountOf({ spec }: Workload): string {
  return spec.get('serviceAccountName').text || spec.get('serviceAccount').text || 'default';
}

function usesClientId(cluster: Cluster, workload: Workload): boolean {
  return cluster
    .classesOf(workload)
    .some(({ root }) => root.get('spec', 'parameters', 'clientID').text !== '');
}

/** The audiences of Entra ID in its clouds. */
const AUDIENCE = /^api:\/\/AzureADTokenExchange(USGov|China)?$/;
const SUBJECT = /^system:serviceaccount:([^:]+):([^:]+)$/;

/** Checks the federated credentials among the manifests (Azure Service Operator, Crossplane) against the service accounts. */
export function checkFederation(cluster: Cluster): Finding[] {
  const accounts = federated(cluster);
  const credentials = cluster.resources
    .filter(({ kind }) => /FederatedIdentityCredential$/.test(kind))
    .map((resource) => {
      const { root, where } = resource;
      const spec = root.get('spec', 'forProvider').exists
        ? root.get('spec', 'forProvider')
        : root.get('spec');
      const [, namespace, name] = SUBJECT.exec(spec.get('subject').text) ?? [];
      const serves = (one: Account) => one.name === name && (one.namespace ?? namespace) === namespace;
      return { where, spec, isAccount: name !== undefined, served: accounts.filter(serves) };
    });
  const alone = accounts.filter((one) => !credentials.some(({ served }) => served.includes(one)));
  return credentials.flatMap(({ where, spec, isAccount, served }) => {
    const found: Finding[] = [];
    const subject = spec.get('subject');
    const isMeant = isAccount || /service-?account/i.test(subject.text);
    const isPossible = isMeant && !isPlaceholder(subject.text) && subject.text !== '';
    if (isPossible && served.length === 0 && (alone.length > 0 || !isAccount)) {
      const names = (alone.length > 0 ? alone : accounts).map(
        (one) => `${one.namespace ?? 'NAMESPACE'}:${one.name}`,
      );
      found.push(at(subject, 'FEDERATED_SUBJECT_MISMATCH', { where, subject: subject.text, names }));
    }
    const audiences = spec.get('audiences').exists ? spec.get('audiences') : spec.get('audience');
    const given = [audiences, ...audiences.items].map(({ text }) => text).filter((text) => text !== '');
    if (given.length > 0 && !given.some((one) => AUDIENCE.test(one))) {
      found.push(at(audiences.items[0] ?? audiences, 'FEDERATED_AUDIENCE_MISMATCH', { where }));
    }
    return found;
  });
}

interface Account {
  readonly name: string;
  readonly namespace: string | undefined;
}

/** The service accounts that are meant for a workload identity. */
function federated(cluster: Cluster): Account[] {
  const annotated = cluster
    .ofKind('ServiceAccount')
    .filter(({ root }) => root.get('metadata', 'annotations', CLIENT_ID).exists);
  const used = cluster.workloads
    .filter((one) => one.metadata.get('labels', LABEL).isTrue || usesClientId(cluster, one))
    .map((one) => ({ ...one, name: accountOf(one) }))
    .filter((one) => !annotated.some((other) => other.name === one.name && inSameNamespace(other, one)));
  return [...annotated, ...used];
}
