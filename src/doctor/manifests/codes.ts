/**
 * The codes of findings in manifests, each with the facts that its message is made from. `where` is a container, pod or object
 * in words: `container "app" of Deployment "shop"`.
 */
export interface ManifestArgs {
  // reading
  MANIFEST_UNREADABLE: { readonly path: string; readonly reason: string };
  MANIFEST_INVALID: { readonly path: string; readonly reason: string };
  MANIFEST_NONE: { readonly names: readonly string[] };
  MANIFEST_TEMPLATE: { readonly names: readonly string[]; readonly command: string };
  MANIFEST_PLACEHOLDER: { readonly where: string; readonly field: string };
  // values outside of volumes
  ENV_FROM_SECRET: { readonly where: string; readonly variable: string; readonly name: string };
  ENV_PLAIN_SECRET: { readonly where: string; readonly variable: string };
  CONFIG_MAP_SECRET: { readonly where: string; readonly key: string };
  // volumes
  VOLUME_SUBPATH: { readonly where: string; readonly volume: string; readonly path: string };
  VOLUME_UNDEFINED: { readonly where: string; readonly volume: string };
  VOLUME_UNUSED: { readonly where: string; readonly volume: string };
  VOLUME_INIT_ONLY: { readonly where: string; readonly volume: string; readonly names: readonly string[] };
  VOLUME_NOT_READONLY: { readonly where: string; readonly volume: string };
  VOLUME_HOST_PATH: { readonly where: string; readonly volume: string };
  VOLUME_OPTIONAL: { readonly where: string; readonly volume: string; readonly name: string };
  VOLUME_MODE_UNREADABLE: {
    readonly where: string;
    readonly volume: string;
    readonly mode: string;
    readonly kind: string;
  };
  VOLUME_MODE_DECIMAL: { readonly where: string; readonly mode: string; readonly octal: string };
  MOUNT_PATH_MISMATCH: { readonly where: string; readonly names: readonly string[] };
  // references
  NAMESPACE_MISMATCH: {
    readonly where: string;
    readonly kind: string;
    readonly name: string;
    readonly other: string;
  };
  SECRET_KEY_MISSING: { readonly where: string; readonly name: string; readonly key: string };
  SECRET_SYNC_UNMOUNTED: { readonly where: string; readonly name: string; readonly provider: string };
  // the SecretProviderClass
  PROVIDER_CLASS_MISSING: { readonly where: string; readonly name: string };
  PROVIDER_PARAMETER_MISSING: { readonly where: string; readonly parameter: string };
  PROVIDER_PARAMETER_INVALID: { readonly where: string; readonly parameter: string; readonly reason: string };
  PROVIDER_OBJECTS_INVALID: { readonly where: string; readonly reason: string };
  PROVIDER_OBJECT_DUPLICATE: { readonly where: string; readonly name: string };
  PROVIDER_VERSION_PINNED: { readonly where: string; readonly name: string };
  PROVIDER_CERTIFICATE_ONLY: { readonly where: string; readonly name: string; readonly type: string };
  PROVIDER_FORMAT_PFX: { readonly where: string; readonly name: string };
  PROVIDER_SYNC_UNKNOWN: { readonly where: string; readonly name: string; readonly object: string };
  PROVIDER_SYNC_UNMOUNTED: { readonly where: string; readonly name: string };
  PROVIDER_IDENTITY_MISSING: { readonly where: string };
  PROVIDER_IDENTITY_RETIRED: { readonly where: string };
  // rotation
  ROTATION_OFF: { readonly where: string; readonly setting: string };
  ROTATION_UNKNOWN: { readonly names: readonly string[] };
  // the workload identity
  IDENTITY_LABEL_MISSING: { readonly where: string; readonly reason: string };
  IDENTITY_LABEL_INVALID: { readonly where: string };
  IDENTITY_CLIENT_ID_MISSING: { readonly where: string; readonly name: string };
  FEDERATED_SUBJECT_MISMATCH: {
    readonly where: string;
    readonly subject: string;
    readonly names: readonly string[];
  };
  FEDERATED_AUDIENCE_MISMATCH: { readonly where: string };
  // probes
  PROBE_RESTARTS: { readonly where: string; readonly probe: string };
  // Secrets
  SECRET_IMMUTABLE: { readonly where: string };
  SECRET_DATA_INVALID: { readonly where: string; readonly key: string };
}

export type ManifestCode = keyof ManifestArgs;

/** `error`: does not work. `warning`: does not rotate, or is a risk. `note`: the manifests alone cannot tell. */
export const manifestLevels = {
  MANIFEST_UNREADABLE: 'error',
  MANIFEST_INVALID: 'error',
  MANIFEST_NONE: 'warning',
  MANIFEST_TEMPLATE: 'note',
  MANIFEST_PLACEHOLDER: 'note',
  ENV_FROM_SECRET: 'warning',
  ENV_PLAIN_SECRET: 'warning',
  CONFIG_MAP_SECRET: 'warning',
  VOLUME_SUBPATH: 'warning',
  VOLUME_UNDEFINED: 'error',
  VOLUME_UNUSED: 'warning',
  VOLUME_INIT_ONLY: 'warning',
  VOLUME_NOT_READONLY: 'error',
  VOLUME_HOST_PATH: 'warning',
  VOLUME_OPTIONAL: 'note',
  VOLUME_MODE_UNREADABLE: 'error',
  VOLUME_MODE_DECIMAL: 'error',
  MOUNT_PATH_MISMATCH: 'error',
  NAMESPACE_MISMATCH: 'error',
  SECRET_KEY_MISSING: 'error',
  SECRET_SYNC_UNMOUNTED: 'error',
  PROVIDER_CLASS_MISSING: 'warning',
  PROVIDER_PARAMETER_MISSING: 'error',
  PROVIDER_PARAMETER_INVALID: 'error',
  PROVIDER_OBJECTS_INVALID: 'error',
  PROVIDER_OBJECT_DUPLICATE: 'error',
  PROVIDER_VERSION_PINNED: 'warning',
  PROVIDER_CERTIFICATE_ONLY: 'warning',
  PROVIDER_FORMAT_PFX: 'note',
  PROVIDER_SYNC_UNKNOWN: 'error',
  PROVIDER_SYNC_UNMOUNTED: 'warning',
  PROVIDER_IDENTITY_MISSING: 'error',
  PROVIDER_IDENTITY_RETIRED: 'warning',
  ROTATION_OFF: 'warning',
  ROTATION_UNKNOWN: 'note',
  IDENTITY_LABEL_MISSING: 'warning',
  IDENTITY_LABEL_INVALID: 'error',
  IDENTITY_CLIENT_ID_MISSING: 'warning',
  FEDERATED_SUBJECT_MISMATCH: 'error',
  FEDERATED_AUDIENCE_MISMATCH: 'error',
  PROBE_RESTARTS: 'warning',
  SECRET_IMMUTABLE: 'warning',
  SECRET_DATA_INVALID: 'error',
} as const satisfies Readonly<Record<ManifestCode, 'error' | 'warning' | 'note'>>;

type Texts = {
  readonly [C in ManifestCode]: (args: ManifestArgs[C]) => readonly [what: string, next: string];
};

const REMOUNT =
  'Mount the whole volume as a directory, and read the file below it (items of the volume choose files).';

/** The sentences of findings in manifests. */
export const manifestTexts: Texts = {
  MANIFEST_UNREADABLE: ({ path, reason }) => [
    `${path} cannot be read (${reason})`,
    'Pass files or directories of manifests, or - for the standard input.',
  ],
  MANIFEST_INVALID: ({ path, reason }) => [
    `${path} is not valid YAML or JSON (${reason})`,
    'Correct the line. kubectl apply refuses the file too.',
  ],
  MANIFEST_NONE: ({ names }) => [
    `there is no Kubernetes manifest in ${names.join(', ')}`,
    'Pass the folder of your manifests, or pipe them in: helm template … | npx hot-secrets doctor -',
  ],
  MANIFEST_TEMPLATE: ({ names, command }) => [
    `not checked, because it is a template or patch: ${names.join(', ')}`,
    `Render it first: ${command} | npx hot-secrets doctor -`,
  ],
  MANIFEST_PLACEHOLDER: ({ where, field }) => [
    `${field} of ${where} is a placeholder, which nothing in Kubernetes replaces`,
    'Check the manifests as they are applied: after envsubst, helm template or kustomize build.',
  ],
  ENV_FROM_SECRET: ({ where, variable, name }) => [
    `${variable} of ${where} comes from the Secret "${name}": it is copied when the container starts, and never rotates`,
    'Mount the Secret or SecretProviderClass as a volume and read the file, then remove the variable.',
  ],
  ENV_PLAIN_SECRET: ({ where, variable }) => [
    `${variable} of ${where} seems to be a secret, and stands in the manifest as plain text`,
    'Store it in the vault or a Secret, mount that as a volume, and change the value: whoever saw the manifest knows it.',
  ],
  CONFIG_MAP_SECRET: ({ where, key }) => [
    `${key} of ${where} seems to be a secret, and a ConfigMap is neither access-restricted nor encrypted as Secrets are`,
    'Store it in the vault or a Secret, and change the value.',
  ],
  VOLUME_SUBPATH: ({ where, volume, path }) => [
    `${where} mounts the volume "${volume}" with subPath at ${path}, which Kubernetes never updates`,
    `Remove subPath. ${REMOUNT}`,
  ],
  VOLUME_UNDEFINED: ({ where, volume }) => [
    `${where} mounts the volume "${volume}", which the pod does not define`,
    'Add it to volumes, or correct the name in volumeMounts.',
  ],
  VOLUME_UNUSED: ({ where, volume }) => [
    `no container of ${where} mounts the volume "${volume}", so the kubelet does not set it up and no secretObjects are synchronized`,
    'Add it to volumeMounts of the container that reads the secrets, or remove it.',
  ],
  VOLUME_INIT_ONLY: ({ where, volume, names }) => [
    `only init containers of ${where} mount the volume "${volume}" (${names.join(', ')}): what they copy never rotates`,
    'Mount the volume in the container that uses the secrets.',
  ],
  VOLUME_NOT_READONLY: ({ where, volume }) => [
    `the CSI volume "${volume}" of ${where} has no readOnly: true, without which the driver refuses to mount it`,
    'Set csi.readOnly: true of the volume (readOnly in volumeMounts is not enough).',
  ],
  VOLUME_HOST_PATH: ({ where, volume }) => [
    `the volume "${volume}" of ${where} takes secrets from a directory of the node (hostPath), where no one rotates them and other pods may read them`,
    'Use a Secret volume or the Secrets Store CSI driver.',
  ],
  VOLUME_OPTIONAL: ({ where, volume, name }) => [
    `the volume "${volume}" of ${where} is optional: without "${name}" the pod starts, and the mount is empty`,
    'Remove optional, if the service needs it. Then the pod waits until it exists.',
  ],
  VOLUME_MODE_UNREADABLE: ({ where, volume, mode, kind }) => [
    `${where} does not run as root, and files of the volume "${volume}" have mode ${mode} and belong to root`,
    kind === 'csi'
      ? "Set filePermission: '0444' of the object in the SecretProviderClass: fsGroup does not change files of the CSI driver."
      : 'Set securityContext.fsGroup of the pod (then defaultMode 0440 is enough), or defaultMode: 0444.',
  ],
  VOLUME_MODE_DECIMAL: ({ where, mode, octal }) => [
    `the mode ${mode} of ${where} is a decimal number`,
    `Write ${octal} in YAML, or ${Number.parseInt(octal, 8)} in JSON.`,
  ],
  MOUNT_PATH_MISMATCH: ({ where, names }) => [
    `SECRETS_PATH of ${where} is not a path at which it mounts a volume (secrets are at ${names.join(', ') || 'no path'})`,
    'Set SECRETS_PATH to the mountPath of the volume with the secrets.',
  ],
  NAMESPACE_MISMATCH: ({ where, kind, name, other }) => [
    `${where} needs the ${kind} "${name}", which is only in the namespace ${other}`,
    `Create the ${kind} in the namespace of the pod: pods use no others.`,
  ],
  SECRET_KEY_MISSING: ({ where, name, key }) => [
    `${where} needs the key "${key}", which the Secret "${name}" does not have`,
    'Add the key to data or secretObjects.data, or correct the name.',
  ],
  SECRET_SYNC_UNMOUNTED: ({ where, name, provider }) => [
    `${where} needs the Secret "${name}", which exists only while a pod mounts the SecretProviderClass "${provider}", and this pod does not`,
    'Add a csi volume with this SecretProviderClass to the pod, and mount it in a container. Then read the file instead of the Secret.',
  ],
  PROVIDER_CLASS_MISSING: ({ where, name }) => [
    name === ''
      ? `${where} names no SecretProviderClass`
      : `${where} mounts the SecretProviderClass "${name}", which is not in the manifests`,
    'Correct volumeAttributes.secretProviderClass, or create the SecretProviderClass in the namespace of the pod.',
  ],
  PROVIDER_PARAMETER_MISSING: ({ where, parameter }) => [
    `${where} has no parameter ${parameter}`,
    `Add ${parameter} to spec.parameters: without it, the Azure provider mounts nothing.`,
  ],
  PROVIDER_PARAMETER_INVALID: ({ where, parameter, reason }) => [
    `the parameter ${parameter} of ${where} ${reason}`,
    'Correct it in spec.parameters. Names are case-sensitive, and values are strings.',
  ],
  PROVIDER_OBJECTS_INVALID: ({ where, reason }) => [
    `the objects of ${where} are not valid: ${reason}`,
    'Write objects: | with array: and one "- |" for each object, with objectName and objectType (secret, key or cert).',
  ],
  PROVIDER_OBJECT_DUPLICATE: ({ where, name }) => [
    `${where} writes two objects to the file "${name}"`,
    'Give each an objectAlias of its own.',
  ],
  PROVIDER_VERSION_PINNED: ({ where, name }) => [
    `${where} pins objectVersion of "${name}": the file keeps this version, whatever rotates in the vault`,
    'Remove objectVersion, or set it to "".',
  ],
  PROVIDER_CERTIFICATE_ONLY: ({ where, name, type }) => [
    type === 'key'
      ? `${where} fetches "${name}" with objectType: key, which is the public key only`
      : `${where} fetches the certificate "${name}" with objectType: cert, which has neither its key nor its chain`,
    'Set objectType: secret: it fetches private key and chain as PEM. If others only trust this certificate, cert is right.',
  ],
  PROVIDER_FORMAT_PFX: ({ where, name }) => [
    `"${name}" of ${where} has objectFormat: pfx: the file is base64 text of a PFX, which a Secret of type kubernetes.io/tls cannot be made from`,
    'Remove objectFormat to get PEM, or set objectEncoding: base64 for a binary PFX. secret.tls reads all three.',
  ],
  PROVIDER_SYNC_UNKNOWN: ({ where, name, object }) => [
    `secretObjects of ${where} make the Secret "${name}" from "${object}", which is not the name of a file`,
    'Set secretObjects.data.objectName to the objectAlias of the object, or to its objectName if it has no alias.',
  ],
  PROVIDER_SYNC_UNMOUNTED: ({ where, name }) => [
    `secretObjects of ${where} make the Secret "${name}", but no pod in the manifests mounts it: then the Secret never appears`,
    'Mount the SecretProviderClass as a csi volume in a pod of this namespace.',
  ],
  PROVIDER_IDENTITY_MISSING: ({ where }) => [
    `${where} says with which identity to read the vault neither by clientID nor by useVMManagedIdentity, and the pod has no nodePublishSecretRef`,
    'Set clientID to the client id of the managed identity that is federated with the service account.',
  ],
  PROVIDER_IDENTITY_RETIRED: ({ where }) => [
    `${where} uses pod identity, which is retired`,
    'Use workload identity: set clientID, and usePodIdentity: "false".',
  ],
  ROTATION_OFF: ({ where, setting }) => [
    `rotation of the Secrets Store CSI driver is off in ${where} (${setting})`,
    'Set enableSecretRotation=true of the Helm chart, or run: az aks addon update --addon azure-keyvault-secrets-provider --enable-secret-rotation.',
  ],
  ROTATION_UNKNOWN: ({ names }) => [
    `${names.join(', ')} ${names.length === 1 ? 'mounts' : 'mount'} CSI volumes; whether the driver rotates them is not in the manifests, and off by default`,
    'Check: az aks show --query addonProfiles.azureKeyvaultSecretsProvider.config, or helm get values of the driver (enableSecretRotation).',
  ],
  IDENTITY_LABEL_MISSING: ({ where, reason }) => [
    `the pods of ${where} have no label azure.workload.identity/use: "true", so their processes get no workload identity, ${reason}`,
    'Add the label to the metadata of the pod (spec.template.metadata.labels). The CSI driver works without it.',
  ],
  IDENTITY_LABEL_INVALID: ({ where }) => [
    `the label azure.workload.identity/use of ${where} is not the text "true"`,
    'Write it in quotes and in lower case: azure.workload.identity/use: "true".',
  ],
  IDENTITY_CLIENT_ID_MISSING: ({ where, name }) => [
    `${where} has the label of workload identity, but its service account "${name}" has no annotation azure.workload.identity/client-id`,
    'Annotate a ServiceAccount with the client id of the managed identity, and set serviceAccountName of the pod to it.',
  ],
  FEDERATED_SUBJECT_MISMATCH: ({ where, subject, names }) => [
    `the subject ${subject} of ${where} is of none of the service accounts in the manifests (${names.join(', ')})`,
    'Set it to system:serviceaccount:NAMESPACE:NAME of the pod, exactly.',
  ],
  FEDERATED_AUDIENCE_MISMATCH: ({ where }) => [
    `the audiences of ${where} are not those of the projected token`,
    'Set them to api://AzureADTokenExchange.',
  ],
  PROBE_RESTARTS: ({ where, probe }) => [
    `the liveness probe of ${where} asks ${probe}, which may fail while the process works: a restart brings no newer secrets, and loses the last good ones`,
    "Ask an endpoint that only says whether the process responds: /-/secrets/live, or healthHandler(store, { probe: 'liveness' }).",
  ],
  SECRET_IMMUTABLE: ({ where }) => [
    `${where} is immutable: its mounted files never change`,
    'Remove immutable: true to rotate it in place. An immutable one needs a new name, and a rollout, for each value.',
  ],
  SECRET_DATA_INVALID: ({ where, key }) => [
    `data.${key} of ${where} is not base64`,
    'Encode it (printf %s | base64 -w0), or move it to stringData, which is plain text.',
  ],
};
