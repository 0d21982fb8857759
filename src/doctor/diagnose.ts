import type { MountFacts } from './checks/mount';
import { type Finding, type FindingLevel, sorted, worstOf } from './findings';
import { type DiagnoseOptions, readDiagnoseOptions } from './options';
import { realSystem, type System } from './system';

/** What the doctor found, and where it searched. It contains names, numbers and times, never a value. */
export interface Diagnosis {
  /** The most severe level; `undefined` without findings. */
  readonly level: FindingLevel | undefined;
  /** The most severe first. */
  readonly findings: readonly Finding[];
  readonly facts: DiagnosisFacts;
}

/** Where the doctor ran, and what it checked. */
export interface DiagnosisFacts {
  /** The version of Node. */
  readonly node: string;
  /** The effective user; `undefined` on Windows. */
  readonly uid: number | undefined;
  readonly mounts: readonly MountFacts[];
  /** What `diagnoseManifests` read. */
  readonly manifests?: ManifestFacts | undefined;
}

/** How much of the manifests was read. */
export interface ManifestFacts {
  readonly files: number;
  readonly objects: number;
}

/**
 * Finds out what is wrong with the secrets of this process: its mounts, the values in them, their copies in the environment,
 * watching, the workload identity and, with `keyVault`, the vault. Findings are data; `describeFinding` has their sentences.
 *
 * Throws `OPTION_UNKNOWN` and `OPTION_INVALID`. Everything else is a finding.
 *
 * @example
 * ```ts
 * const { level, findings } = await diagnose({ mounts: ['/mnt/secrets-store'] });
 * for (const { code, secret } of findings) console.log(code, secret);
 * ```
 */
export function diagnose(options?: DiagnoseOptions): Promise<Diagnosis> {
  return diagnoseOn(realSystem(options?.environment), options);
}

/** As `diagnose`, on a system that a test describes. */
export async function diagnoseOn(system: System, options?: DiagnoseOptions): Promise<Diagnosis> {
  const read = readDiagnoseOptions(options);
  const { Run } = await import('./run');
  const run = new Run(system, read);
  await run.all();
  const findings = sorted(run.findings);
  return {
    level: worstOf(findings),
    findings,
    facts: { node: system.nodeVersion, uid: system.user?.uid, mounts: run.mounts },
  };
}

/** Adds findings that come from elsewhere, and drops those that say the same more mildly. */
export function withFindings(diagnosis: Diagnosis, more: readonly Finding[]): Diagnosis {
  const fresh = more.filter(
    ({ code, level }) => !diagnosis.findings.some((one) => one.code === code && one.level === level),
  );
  const others = diagnosis.findings.filter(({ code }) => !fresh.some((one) => one.code === code));
  const findings = sorted([...fresh, ...others]);
  return { ...diagnosis, findings, level: worstOf(findings) };
}
