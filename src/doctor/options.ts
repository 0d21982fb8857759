import { count, flag, type Option, passed, readOptions } from '../internal/options';
import type { KeyVaultOptions } from '../sources/key-vault/options';
import type { Source } from '../sources/source';
import { isStore } from '../store/assert-store';
import type { Definitions } from '../store/types';
import type { ReportingStore } from './checks/live-store';

/** Options of `diagnose`. */
export interface DiagnoseOptions {
  /** The mounts to check. Default: those of `sources` or `store`, or the default mounts of a store. */
  readonly mounts?: readonly string[] | undefined;
  /**
   * The declared secrets of the service, as for `SecretStore.open`. Default: those of `store`; without them, every file is
   * checked as what it appears to be.
   */
  readonly secrets?: Definitions | undefined;
  /** The sources of the service, as for `SecretStore.open`. The doctor reads them, and closes none. */
  readonly sources?: readonly Source[] | undefined;
  /** An open store: its problems are findings too. */
  readonly store?: ReportingStore | undefined;
  /** The environment to check. Default: `process.env`. */
  readonly environment?: Readonly<NodeJS.ProcessEnv> | undefined;
  /** Sends requests to this vault and to Entra ID, with the identity of this process. Default: no requests. */
  readonly keyVault?: KeyVaultOptions | undefined;
  /** How often the secrets rotate, in days: older files are a finding. Default: unknown. */
  readonly expectedRotationDays?: number | undefined;
  /** Tests in a temporary directory whether changes are noticed, which takes less than a second. Default: true. */
  readonly liveTest?: boolean | undefined;
}

const mounts: Option<readonly string[] | undefined> = (given, reject) => {
  const isList = Array.isArray(given) && given.every((one) => typeof one === 'string' && one !== '');
  return given === undefined || isList ? given : reject('a list of paths');
};

const store: Option<ReportingStore | undefined> = (given, reject) =>
  given === undefined || isStore(given) ? (given as ReportingStore | undefined) : reject('an open store');

/** @throws `OPTION_UNKNOWN`, `OPTION_INVALID`. */
export function readDiagnoseOptions(options: DiagnoseOptions = {}) {
  return readOptions('diagnose', options, {
    mounts,
    secrets: passed<Definitions>(),
    sources: passed<readonly Source[]>(),
    store,
    environment: passed<Readonly<NodeJS.ProcessEnv>>(),
    keyVault: passed<KeyVaultOptions>(),
    expectedRotationDays: count(undefined, { least: 0 }),
    liveTest: flag(true),
  });
}
