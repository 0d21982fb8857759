import type { SecretsError, SecretsErrorCode } from '../errors';
import { type ManifestArgs, manifestLevels } from './manifests/codes';

/** `error`: secrets fail, or never rotate. `warning`: they will, or only for some readers. `note`: worth knowing. */
export type FindingLevel = 'error' | 'warning' | 'note';

/** The codes of the doctor's own findings, each with the facts that its message is made from. */
export interface FindingArgs extends ManifestArgs {
  // the mount
  LINK_DANGLING: { readonly path: string; readonly target: string };
  FILE_STRAY: { readonly path: string };
  SWAP_UNFINISHED: { readonly path: string };
  GENERATION_OLD: { readonly path: string; readonly ageDays: number; readonly expectedDays: number };
  GENERATION_UNCHANGED: { readonly path: string; readonly ageDays: number };
  MOUNT_NOT_VOLUME: { readonly path: string; readonly fileSystem: string };
  MOUNT_NETWORK: { readonly path: string; readonly fileSystem: string };
  FILE_WORLD_READABLE: { readonly path: string; readonly files: readonly string[] };
  FILE_WORLD_WRITABLE: { readonly path: string; readonly mode: string };
  // values
  VALUE_TRAILING_NEWLINE: { readonly count: number };
  VALUE_CRLF: { readonly lines: number };
  VALUE_QUOTED: { readonly quote: string };
  VALUE_NEWLINES_ESCAPED: Nothing;
  VALUE_BASE64: { readonly of: 'text' | 'PEM' | 'bytes' };
  VALUE_PART_UNRESOLVED: Nothing;
  VALUE_PLACEHOLDER: Nothing;
  VALUE_PFX_TEXT: Nothing;
  // names and copies
  NAME_CLASH: { readonly names: readonly string[]; readonly place: string };
  ENVIRONMENT_COPY_DIFFERS: { readonly variable: string };
  ENVIRONMENT_COPY: { readonly variable: string };
  ENVIRONMENT_ONLY: { readonly variable: string };
  // watching
  WATCH_LIMIT: { readonly limit: string; readonly value: number; readonly used: number };
  WATCH_SILENT: { readonly seen: number; readonly swaps: number; readonly directory: string };
  WATCH_UNTESTED: { readonly directory: string; readonly reason: string };
  // the process
  NODE_UNSUPPORTED: { readonly version: string; readonly needed: string };
  PACKAGE_DUPLICATE: { readonly copies: readonly string[] };
  STORE_MODULE_INVALID: { readonly path: string; readonly reason: string; readonly next: string | undefined };
  CHECK_FAILED: { readonly check: string; readonly reason: string };
  // the workload identity and the vault
  IDENTITY_AUDIENCE_UNUSUAL: { readonly audience: string };
  IDENTITY_SUBJECT_UNUSUAL: { readonly subject: string };
  IDENTITY_ISSUER_UNUSUAL: { readonly issuer: string };
  IDENTITY_NAMESPACE_MISMATCH: { readonly subject: string; readonly namespace: string };
  IDENTITY_TOKEN_OLD: { readonly path: string; readonly leftMinutes: number };
  CLOCK_SKEW: { readonly seconds: number; readonly than: string };
  VAULT_NAME_UNRESOLVED: { readonly host: string; readonly reason: string };
  VAULT_SECRET_MISSING: { readonly vault: string; readonly name: string };
  MOUNT_BEHIND_VAULT: { readonly path: string; readonly name: string };
}

type Nothing = Readonly<Record<never, never>>;

/** A code that only the doctor has. */
export type DoctorCode = keyof FindingArgs;

/** The code of a finding: one of the doctor, or the code of the error that the package itself has for it. */
export type FindingCode = DoctorCode | SecretsErrorCode;

/** One thing that the doctor found: names, numbers and times, never a value. */
export interface Finding {
  readonly code: FindingCode;
  readonly level: FindingLevel;
  /** The secret that it is about. */
  readonly secret?: string | undefined;
  /** The path, variable or address that it is about. */
  readonly place?: string | undefined;
  /** The line of the file `place`, from 1: only in manifests. */
  readonly line?: number | undefined;
  /** The facts that the message is made from. Codes of the package have `what` and `next`. */
  readonly args: Readonly<Record<string, string | number | readonly string[]>>;
}

/** The level of each code of the doctor. A check may find a smaller level where the same fact is harmless. */
export const doctorLevels: Readonly<Record<DoctorCode, FindingLevel>> = {
  LINK_DANGLING: 'error',
  FILE_STRAY: 'warning',
  SWAP_UNFINISHED: 'warning',
  GENERATION_OLD: 'warning',
  GENERATION_UNCHANGED: 'note',
  MOUNT_NOT_VOLUME: 'warning',
  MOUNT_NETWORK: 'warning',
  FILE_WORLD_READABLE: 'note',
  FILE_WORLD_WRITABLE: 'warning',
  VALUE_TRAILING_NEWLINE: 'warning',
  VALUE_CRLF: 'warning',
  VALUE_QUOTED: 'warning',
  VALUE_NEWLINES_ESCAPED: 'warning',
  VALUE_BASE64: 'warning',
  VALUE_PART_UNRESOLVED: 'warning',
  VALUE_PLACEHOLDER: 'error',
  VALUE_PFX_TEXT: 'warning',
  NAME_CLASH: 'warning',
  ENVIRONMENT_COPY_DIFFERS: 'warning',
  ENVIRONMENT_COPY: 'note',
  ENVIRONMENT_ONLY: 'warning',
  WATCH_LIMIT: 'warning',
  WATCH_SILENT: 'warning',
  WATCH_UNTESTED: 'note',
  NODE_UNSUPPORTED: 'error',
  PACKAGE_DUPLICATE: 'warning',
  STORE_MODULE_INVALID: 'error',
  CHECK_FAILED: 'warning',
  IDENTITY_AUDIENCE_UNUSUAL: 'warning',
  IDENTITY_SUBJECT_UNUSUAL: 'warning',
  IDENTITY_ISSUER_UNUSUAL: 'warning',
  IDENTITY_NAMESPACE_MISMATCH: 'warning',
  IDENTITY_TOKEN_OLD: 'warning',
  CLOCK_SKEW: 'warning',
  VAULT_NAME_UNRESOLVED: 'error',
  VAULT_SECRET_MISSING: 'warning',
  MOUNT_BEHIND_VAULT: 'error',
  ...manifestLevels,
};

/** Codes of the package that are warnings here; the others are errors. */
const WARNINGS: ReadonlySet<SecretsErrorCode> = new Set<SecretsErrorCode>([
  'NAME_INVALID',
  'MOUNT_SINGLE_FILE',
  'VARIABLE_OF_SYSTEM',
  'VALUE_SUSPECT',
  'VALUE_NOT_YET_VALID',
  'VALUE_EXPIRED',
  'VALUE_EXPIRING',
  'CERTIFICATE_HOST_MISMATCH',
  'CERTIFICATE_UNRELATED',
  'CERTIFICATE_CHAIN_INCOMPLETE',
  'PEER_UNSUPPORTED',
  'VAULT_THROTTLED',
  'WATCH_UNAVAILABLE',
]);

/** What a finding is about, and its level if that differs from the level of its code. */
export interface About {
  readonly secret?: string | undefined;
  readonly place?: string | undefined;
  readonly line?: number | undefined;
  readonly level?: FindingLevel | undefined;
}

export function finding<C extends DoctorCode>(code: C, args: FindingArgs[C], about: About = {}): Finding {
  const { secret, place, line, level = doctorLevels[code] } = about;
  return { code, level, secret, place, ...(line && { line }), args: args as unknown as Finding['args'] };
}

/** The finding for an error of the package. `next` replaces its advice where the doctor knows more. */
export function findingOf(error: SecretsError, about: About & { readonly next?: string } = {}): Finding {
  const { code, what } = error;
  const { secret = error.secret, place, level = WARNINGS.has(code) ? 'warning' : 'error' } = about;
  return { code, level, secret, place, args: { what, next: about.next ?? error.next ?? '' } };
}

const RANK: Readonly<Record<FindingLevel, number>> = { error: 2, warning: 1, note: 0 };

/** The most severe first; equal levels stay in the order of the checks. */
export function sorted(findings: readonly Finding[]): Finding[] {
  return [...findings].sort((one, other) => RANK[other.level] - RANK[one.level]);
}

/** The most severe level; `undefined` without findings. */
export function worstOf(findings: readonly Finding[]): FindingLevel | undefined {
  return sorted(findings)[0]?.level;
}
