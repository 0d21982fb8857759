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
