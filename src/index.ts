export type { Definition, DefinitionOptions, Expiry } from './definitions/definition';
export {
  type BytesOptions,
  type CheckedTextOptions,
  type JsonOptions,
  secret,
  type TextOptions,
} from './definitions/secret';
export type { DeepReadonly, StandardSchema } from './definitions/standard-schema';
export type { KeyOptions } from './definitions/tls/key';
export type { KeyMaterial, TlsMaterial, TlsTrust } from './definitions/tls/material';
export type {
  OptionalTlsPart,
  TlsBundleOptions,
  TlsOptions,
  TlsPair,
  TlsPart,
  TrustOptions,
} from './definitions/tls/tls';
export { errorCodes, isSecretsError, SecretsError, type SecretsErrorCode } from './errors';
export type { ListenOptions } from './internal/events';
export {
  type AccessAudit,
  type AccessAuditOptions,
  type AccessReport,
  type AuditedStore,
  auditAccess,
  type SecretReads,
} from './observe/audit';
export type { ChannelMessages, ChannelName } from './observe/channels';
export type { Recipe } from './rotation/recipe';
export { rotating } from './rotation/rotating';
export type {
  DrainedEvent,
  Lifecycle,
  OnDispose,
  RejectedEvent,
  Rotating,
  RotatingOptions,
  RotationEvents,
  RotationStore,
  SwappedEvent,
} from './rotation/types';
export type { SecretAttributes } from './secret/attributes';
export type { Lookup, LookupOptions } from './secret/lookup';
export { isSecret, type Secret } from './secret/secret';
export { type EnvironmentOptions, environment } from './sources/environment';
export { type MemorySource, memory } from './sources/memory';
export { type MountedFilesOptions, mountedFiles } from './sources/mounted-files/mounted-files';
export type {
  FailedReading,
  FoundReading,
  MissingReading,
  Reading,
  ReadRequest,
  ReadResult,
  Source,
  SourceListener,
} from './sources/source';
export { SecretStore } from './store/open';
export { reloadOnSignal, type SignalOptions } from './store/reload-on-signal';
export type {
  ChangeEvent,
  Definitions,
  ExpiringEvent,
  ExpiryReport,
  OpenOptions,
  SecretChange,
  SecretOf,
  SecretReader,
  SecretReport,
  Snapshot,
  SourceReport,
  StoreEvents,
  StoreHealth,
  StoreListeners,
  StoreReport,
  ValuesOf,
} from './store/types';
