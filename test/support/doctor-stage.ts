import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describeFinding, renderJson, renderSarif, renderText } from 'hot-secrets/doctor';
import { createTestMount, type TestMountContent, type TestMountOptions } from 'hot-secrets/testing';
import { expect, onTestFinished } from 'vitest';
import { type Diagnosis, diagnoseOn } from '../../src/doctor/diagnose';
import type { DiagnoseOptions } from '../../src/doctor/options';
import { realSystem, type System } from '../../src/doctor/system';
import { holds } from './encodings';

/** What a test says about the machine. */
export interface Machine extends Partial<System> {
  /** Texts of system files, such as `/proc/self/mountinfo`. */
  readonly texts?: Readonly<Record<string, string>>;
}

/** One set-up: a machine, and what to check on it. */
export interface SetUp extends Machine {
  readonly options?: DiagnoseOptions;
  /** What must not appear in any output. */
  readonly values?: readonly string[];
}

/** The real files and user, and nothing else of the machine that runs the test. */
export function machine({ texts = {}, ...given }: Machine = {}): System {
  const real = realSystem({});
  return {
    ...real,
    nodeVersion: '24.1.0',
    workingDirectory: tmpdir(),
    inotify: () => ({ instances: 1, watches: 10 }),
    readText: (path) => texts[path] ?? (/^\/(proc|var)\//.test(path) ? undefined : real.readText(path)),
    ...given,
  };
}

export async function examine({ options, values = [], ...given }: SetUp): Promise<Diagnosis> {
  const diagnosis = await diagnoseOn(machine(given), { liveTest: false, ...options });
  for (const value of values) expectNotIn(diagnosis, value);
  return diagnosis;
}

/** Expects that no output has the value, in any encoding. */
export function expectNotIn(diagnosis: Diagnosis, value: string): void {
  const outputs = [
    renderText(diagnosis),
    renderText(diagnosis, { colors: true }),
    renderJson(diagnosis),
    renderSarif(diagnosis),
    inspect(diagnosis, { showHidden: true, depth: 20, getters: true, maxStringLength: null }),
    ...diagnosis.findings.flatMap((finding) => Object.values(describeFinding(finding))),
  ];
  for (const output of outputs) expect(holds(output, value)).toBe(false);
}

/** The codes of everything that is worse than a note. */
export function complaints({ findings }: Diagnosis): string[] {
  return findings.filter(({ level }) => level !== 'note').map(({ code }) => code);
}

export async function mountOf(content: TestMountContent, options?: TestMountOptions) {
  const mount = await createTestMount(content, options);
  onTestFinished(() => mount.cleanup());
  return mount;
}

export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'hot-secrets-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A line of mountinfo. */
export function mountLine(root: string, mountPoint: string, fileSystem = 'tmpfs', options = 'rw'): string {
  return `1201 1180 0:345 ${root} ${mountPoint} ${options},relatime - ${fileSystem} ${fileSystem} rw\n`;
}
