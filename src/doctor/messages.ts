import type { DoctorCode, Finding, FindingArgs } from './findings';
import { manifestTexts } from './manifests/codes';

/** What happened, and what to do next. */
export interface FindingText {
  readonly what: string;
  readonly next: string;
}

type Texts = { readonly [C in DoctorCode]: (args: FindingArgs[C]) => readonly [what: string, next: string] };

/** The sentences of each code. The name of the secret stands in front of them, where there is one. */
const TEXTS: Texts = {
  LINK_DANGLING: ({ path, target }) => [
    `the link ${path} leads to ${target}, which does not exist`,
    'Check the events of the pod: the last update of the mount did not finish, or the object was removed.',
  ],
  FILE_STRAY: ({ path }) => [
    `${path} is an ordinary file next to ..data: no update of the volume replaces it`,
    'Remove it, and add the secret to the SecretProviderClass or Secret.',
  ],
  SWAP_UNFINISHED: ({ path }) => [
    `${path} is left over: the writer stopped in the middle of an update`,
    'Check the logs of the CSI driver or the kubelet on this node. Deleting the pod makes a new mount.',
  ],
  GENERATION_OLD: ({ path, ageDays, expectedDays }) => [
    `the files of ${path} were written ${days(ageDays)} ago; they should rotate every ${days(expectedDays)}`,
    'Check that rotation is on: az aks addon update --enable-secret-rotation, or enableSecretRotation=true of the Helm chart; and that no object pins an objectVersion.',
  ],
  GENERATION_UNCHANGED: ({ path, ageDays }) => [
    `the files of ${path} were written ${days(ageDays)} ago, and nothing shows whether rotation is on`,
    'Set expectedRotationDays (--expect-rotation) to the interval of your rotation, or compare with the vault (--vault).',
  ],
  MOUNT_NOT_VOLUME: ({ path, fileSystem }) => [
    `${path} is not a volume: it lies on the ${fileSystem} file system of the container, which nothing updates`,
    'Mount the volume at this path (volumeMounts.mountPath), and keep secrets out of the image.',
  ],
  MOUNT_NETWORK: ({ path, fileSystem }) => [
    `${path} lies on a network file system (${fileSystem}), which reports no changes of other machines`,
    'Polling finds them: lower pollIntervalMs of mountedFiles if 30 s are too long, or mount a volume of the node.',
  ],
  FILE_WORLD_READABLE: ({ path, files }) => [
    `every user of this container may read ${list(files)} in ${path}`,
    "If other users run in it, set filePermission: '0400' (CSI) or defaultMode: 0400 with runAsUser, or 0440 with fsGroup.",
  ],
  FILE_WORLD_WRITABLE: ({ path, mode }) => [
    `every user may write to ${path} (mode ${mode})`,
    `Mount the volume with readOnly: true, or run: chmod o-w ${path}`,
  ],
  VALUE_TRAILING_NEWLINE: ({ count }) => [
    count === 1 ? 'the value ends with a newline' : `the value ends with ${count} newlines`,
    'Write the value without it: printf %s or echo -n, not echo. hot-secrets drops one newline from text; others do not.',
  ],
  VALUE_CRLF: ({ lines }) => [
    `the value has ${lines === 1 ? 'a Windows line break' : `${lines} Windows line breaks`} (CRLF)`,
    'Save the file with LF, or write the value with printf %s.',
  ],
  VALUE_QUOTED: ({ quote }) => [
    `the PEM stands in ${quote === '"' ? 'double' : 'single'} quotes`,
    'Store it without quotes. Definitions of certificates and keys remove them; other readers do not.',
  ],
  VALUE_NEWLINES_ESCAPED: () => [
    'the line breaks of the PEM are written as \\n',
    'Store real line breaks (--file, not --value), or declare it as secret.tls or secret.key, which accept both.',
  ],
  VALUE_BASE64: ({ of }) => [
    `the value is base64 of ${of} that was never decoded`,
    of === 'PEM'
      ? 'Store the PEM itself, or declare it as secret.tls or secret.key, which decode it.'
      : "Store the decoded value (data of a Secret is base64 once; stringData is plain), or declare encoding: 'base64'.",
  ],
  VALUE_PART_UNRESOLVED: () => [
    'a part of the value is a reference that nothing resolved',
    'Check where the value is put together: what expands the reference did not run, or does not know its name.',
  ],
  VALUE_PLACEHOLDER: () => ['the value is a placeholder of a template', 'Store the real value.'],
  VALUE_PFX_TEXT: () => [
    'the value is a PFX as base64 text, but is read as text',
    "Declare it as secret.tls('name'), which reads it. For programs that need the binary file, set objectEncoding: base64 in the SecretProviderClass.",
  ],
  NAME_CLASH: ({ names, place }) => [
    `${list(names)} are ${names.length === 2 ? 'both' : 'all'} ${place}`,
    "Rename all but one, or give each its own name: secret.text('name', { env, vault }).",
  ],
  ENVIRONMENT_COPY_DIFFERS: ({ variable }) => [
    `the variable ${variable} has another value than the file: it was copied when the pod started, and never rotates`,
    `Read the secret from the store only, and remove ${variable} (env, envFrom, secretObjects).`,
  ],
  ENVIRONMENT_COPY: ({ variable }) => [
    `the variable ${variable} has the same value as the file`,
    `Remove ${variable} once nothing reads process.env.${variable}: it will not rotate.`,
  ],
  ENVIRONMENT_ONLY: ({ variable }) => [
    `only the variable ${variable} has this secret: it never rotates while the process runs`,
    'Add it to the mount (SecretProviderClass) or the vault.',
  ],
  WATCH_LIMIT: ({ limit, value, used }) => [
    `${used} of ${value} are used of the inotify limit ${limit}`,
    `Raise it on the node: sysctl -w ${limit}=${Math.max(8192, value * 4)}. Until then, polling may find rotations later.`,
  ],
  WATCH_SILENT: ({ seen, swaps, directory }) => [
    `a watch in ${directory} reported ${seen} of ${swaps} swaps`,
    'Polling finds rotations (every 30 s by default). Check whether the sandbox (gVisor, Docker Desktop) supports inotify.',
  ],
  WATCH_UNTESTED: ({ directory, reason }) => [
    `the live test of watching did not run: ${directory} ${reason}`,
    'Set TMPDIR to a directory that this user may write to, such as an emptyDir volume.',
  ],
  NODE_UNSUPPORTED: ({ version, needed }) => [`Node ${version} is too old`, `Use Node ${needed} or newer.`],
  PACKAGE_DUPLICATE: ({ copies }) => [
    `hot-secrets is installed ${copies.length} times: ${copies.join(', ')}`,
    'Keep one copy: npm dedupe, or the same version range in every package. Copies share no caches and no settings.',
  ],
  STORE_MODULE_INVALID: ({ path, reason, next }) => [
    `${path} ${reason}`,
    next ??
      'Export the store or its options: export const store = SecretStore.open({ … }), or export const options = { secrets, sources }.',
  ],
  CHECK_FAILED: ({ check, reason }) => [
    `the check "${check}" failed with ${reason}`,
    'The other checks ran. Please report this.',
  ],
  IDENTITY_AUDIENCE_UNUSUAL: ({ audience }) => [
    `the audience of the projected token is ${audience}`,
    'Entra ID expects api://AzureADTokenExchange: label the pod azure.workload.identity/use: "true" instead of projecting a token by hand.',
  ],
  IDENTITY_SUBJECT_UNUSUAL: ({ subject }) => [
    `the subject of the projected token is ${subject}, not a service account of its own`,
    'Set serviceAccountName of the pod to the service account with the annotation azure.workload.identity/client-id.',
  ],
  IDENTITY_ISSUER_UNUSUAL: ({ issuer }) => [
    `the issuer of the projected token is ${issuer}, which Entra ID cannot reach`,
    'Enable the OIDC issuer of the cluster: az aks update --enable-oidc-issuer --enable-workload-identity.',
  ],
  IDENTITY_NAMESPACE_MISMATCH: ({ subject, namespace }) => [
    `the projected token is for ${subject}, but this pod runs in the namespace ${namespace}`,
    'The token file is a copy from another pod: use the projected volume of this one.',
  ],
  IDENTITY_TOKEN_OLD: ({ path, leftMinutes }) => [
    `the projected token ${path} expires in ${leftMinutes} minutes and was not replaced at 80 % of its lifetime`,
    'Use the projected file itself, neither a copy nor a subPath mount. Otherwise check the kubelet of the node.',
  ],
  CLOCK_SKEW: ({ seconds, than }) => [
    `the clock of this machine is ${Math.abs(seconds)} s ${seconds < 0 ? 'behind' : 'ahead of'} ${than}`,
    'Synchronize the clock of the node (chrony, systemd-timesyncd). Tokens and certificates depend on it.',
  ],
  VAULT_NAME_UNRESOLVED: ({ host, reason }) => [
    `the name ${host} does not resolve (${reason})`,
    'Check the name of the vault. A private endpoint needs the DNS zone privatelink.vaultcore.azure.net, linked to the network of the cluster.',
  ],
  VAULT_SECRET_MISSING: ({ vault, name }) => [
    `the vault ${vault} has no secret ${name}`,
    'Create it, or correct the name (option vault of the definition).',
  ],
  MOUNT_BEHIND_VAULT: ({ path, name }) => [
    `${path} does not have the current value of the secret ${name} in the vault`,
    'Check that rotation is on: az aks addon update --enable-secret-rotation, that the object pins no objectVersion, and that no other object of the SecretProviderClass fails: one failure freezes all of them.',
  ],
  ...manifestTexts,
};

/** The message of a finding. */
export function describeFinding({ code, secret, args }: Finding): FindingText {
  const text = (TEXTS as Partial<Record<string, (args: unknown) => readonly [string, string]>>)[code];
  if (text === undefined) return { what: String(args.what), next: String(args.next) };
  const [what, next] = text(args);
  return { what: secret === undefined ? what : `"${secret}": ${what}`, next };
}

function days(count: number): string {
  return count === 1 ? '1 day' : `${count} days`;
}

const MAX_LISTED = 5;

function list(names: readonly string[]): string {
  const more = names.length - MAX_LISTED;
  if (more > 0) return `${names.slice(0, MAX_LISTED).join(', ')} and ${more} more`;
  return names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
