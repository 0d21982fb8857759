import { isSecretsError, SecretsError } from '../../errors';
import {
  BROKEN_TOKEN_FILE,
  LABEL_THE_POD,
  readTokenFile,
  workloadIdentityOf,
} from '../../sources/key-vault/credentials';
import { type Finding, finding, findingOf } from '../findings';
import { isInPod, type System } from '../system';

const NAMESPACE_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';
/** The audiences of the clouds of Azure. */
const AUDIENCE = /^api:\/\/AzureADTokenExchange(China|USGov)?$/;
const SUBJECT = /^system:serviceaccount:([^:]+):([^:]+)$/;
/** Differences of clocks that tokens tolerate are minutes. */
const SKEW_MS = 60_000;

/**
 * Checks the workload identity of the pod from inside: its variables, and the claims of the projected token. Nothing is sent:
 * only Entra ID knows whether a federated credential matches them.
 */
export function checkIdentity(system: System, vaultWanted: boolean): Finding[] {
  const { environment } = system;
  const tokenFilePath = environment.AZURE_FEDERATED_TOKEN_FILE ?? '';
  const otherCredential = environment.AZURE_CLIENT_SECRET || environment.AZURE_CLIENT_CERTIFICATE_PATH;
  if (tokenFilePath === '') {
    const needed = isInPod(system) && vaultWanted && !otherCredential;
    return needed ? [withoutIdentity()] : [];
  }
  const found: Finding[] = [];
  try {
    workloadIdentityOf({
      tenantId: environment.AZURE_TENANT_ID ?? '',
      clientId: environment.AZURE_CLIENT_ID ?? '',
      tokenFilePath,
    });
  } catch (error) {
    if (!isSecretsError(error)) throw error;
    found.push(findingOf(error, { place: 'AZURE_CLIENT_ID, AZURE_TENANT_ID' }));
  }
  return [...found, ...checkToken(system, tokenFilePath)];
}

/** A managed identity of the node may still answer, so this is not certain to fail. */
function withoutIdentity(): Finding {
  const what = 'this pod has no workload identity: AZURE_FEDERATED_TOKEN_FILE is not set';
  const error = new SecretsError('IDENTITY_MISSING', what, { next: LABEL_THE_POD });
  return findingOf(error, { place: 'AZURE_FEDERATED_TOKEN_FILE', level: 'warning' });
}

function checkToken(system: System, path: string): Finding[] {
  const file = readTokenFile(path);
  if (file.state !== 'token') {
    const what = `the projected token ${path} ${BROKEN_TOKEN_FILE[file.state]}`;
    const error = new SecretsError('IDENTITY_TOKEN_FILE', what, { next: LABEL_THE_POD });
    return [findingOf(error, { place: path })];
  }
  const { issuer, subject, audience, expiresAt } = file.facts;
  const about = { place: path };
  const found: Finding[] = [];
  if (!AUDIENCE.test(audience)) {
    found.push(finding('IDENTITY_AUDIENCE_UNUSUAL', { audience: address(audience) }, about));
  }
  const [, namespace, account] = SUBJECT.exec(subject) ?? [];
  if (account === undefined || account === 'default') {
    const shown = account === undefined ? 'of another form' : subject;
    found.push(finding('IDENTITY_SUBJECT_UNUSUAL', { subject: shown }, about));
  }
  const own = system.readText(NAMESPACE_FILE)?.trim();
  if (own !== undefined && namespace !== undefined && own !== namespace) {
    found.push(finding('IDENTITY_NAMESPACE_MISMATCH', { subject, namespace: own }, about));
  }
  if (!isPublicIssuer(issuer)) {
    found.push(finding('IDENTITY_ISSUER_UNUSUAL', { issuer: address(issuer) }, about));
  }
  return [...found, ...checkTimes(system, path, expiresAt)];
}

function checkTimes(system: System, path: string, expiresAt: Date | undefined): Finding[] {
  const { now } = system;
  const issuedAt = issuedAtOf(system, path);
  const about = { place: path };
  if (issuedAt !== undefined && issuedAt > now + SKEW_MS) {
    const seconds = Math.round((now - issuedAt) / 1000);
    return [
      finding('CLOCK_SKEW', { seconds, than: 'the API server, which issued the projected token' }, about),
    ];
  }
  if (expiresAt === undefined) return [];
  const leftMs = expiresAt.getTime() - now;
  if (leftMs <= 0) {
    const what = `the projected token ${path} expired at ${expiresAt.toISOString()}`;
    const next =
      'Check that the path is the projected file, neither a copy nor a subPath mount: kubelet replaces that file in time. Otherwise compare the clocks.';
    return [findingOf(new SecretsError('IDENTITY_ASSERTION_EXPIRED', what, { next }), about)];
  }
  const lifetimeMs = issuedAt === undefined ? 0 : expiresAt.getTime() - issuedAt;
  if (leftMs > lifetimeMs / 10) return [];
  return [finding('IDENTITY_TOKEN_OLD', { path, leftMinutes: Math.ceil(leftMs / 60_000) }, about)];
}

/** The start of the token's lifetime: the claim `nbf` or `iat`, in milliseconds since the epoch. */
function issuedAtOf({ readText }: System, path: string): number | undefined {
  try {
    const [, payload = ''] = readText(path)?.split('.') ?? [];
    const { iat, nbf } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
    const seconds = iat ?? nbf;
    return typeof seconds === 'number' ? seconds * 1000 : undefined;
  } catch {
    return undefined;
  }
}

/** The file may hold something else than a token of a pod: only an address is shown. */
function address(claim: string): string {
  return URL.canParse(claim) ? claim : 'of another form';
}

/** Entra ID fetches the keys of the issuer from its address. */
function isPublicIssuer(issuer: string): boolean {
  if (!URL.canParse(issuer)) return false;
  const { protocol, hostname } = new URL(issuer);
  return (
    protocol === 'https:' && !/^kubernetes\.default\b|\.(svc|local|internal)$|^localhost$/.test(hostname)
  );
}
