import { readdirSync, readlinkSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { isSecretsError, type SecretsError } from '../../errors';
import { realDelay } from '../../internal/real-time';
import type { Lookup } from '../../secret/lookup';
import { volumeTarget } from '../../sources/mounted-files/list-files';
import { mountedFiles } from '../../sources/mounted-files/mounted-files';
import {
  findBinds,
  type MountLine,
  mountLines,
  replacedProblem,
  singleFileProblem,
  singleFiles,
  subPathProblem,
} from '../../sources/mounted-files/mountinfo';
import { DATA_LINK, statIfThere } from '../../sources/mounted-files/paths';
import type { Reading } from '../../sources/source';
import { type Finding, finding, findingOf } from '../findings';
import { isNetwork, type MountKind, mountOf, volumeKind } from '../mountinfo';
import { isInPod, type System } from '../system';
import { adviceFor, checkModes } from './permissions';

/** What is mounted where. */
export interface MountFacts {
  readonly path: string;
  readonly kind: MountKind;
  /** `tmpfs`, `ext4`, `overlay`, `nfs4`; `undefined` if the system does not tell. */
  readonly fileSystem: string | undefined;
  /** The time at which the files were written; `undefined` if it is unknown. */
  readonly writtenAt: Date | undefined;
  readonly files: number;
}

export interface CheckedMount {
  readonly facts: MountFacts;
  readonly findings: readonly Finding[];
  /** Every file, and every requested name. Whoever uses the bytes overwrites them. */
  readonly readings: ReadonlyMap<string, Reading>;
}

export interface MountRequest {
  readonly path: string;
  /** Whether somebody named this path: the default mount may be missing. */
  readonly named: boolean;
  readonly lookups: readonly Lookup[];
  readonly expectedRotationDays: number | undefined;
  readonly signal: AbortSignal;
}

const DAY_MS = 86_400_000;
/** The age from which an unchanged mount is worth a note. */
const OLD_DAYS = 90;
const TMP_LINK = `${DATA_LINK}_tmp`;
/** Longer than a writer needs between two steps of an update. */
const UPDATE_MS = 200;

/** Checks one mount, whatever kind it is, and reads its files. */
export async function checkMount(system: System, request: MountRequest): Promise<CheckedMount> {
  const { lookups, named, signal } = request;
  const path = resolve(request.path);
  const mountinfo = system.readText('/proc/self/mountinfo') ?? '';
  const line = mountOf(mountLines(mountinfo), real(path));
  const kind = kindOf(path, line);
  const findings: Finding[] = [];
  let readings: ReadonlyMap<string, Reading> = new Map();
  try {
    const source = mountedFiles(path);
    await source.open?.(signal);
    readings = (await source.read({ lookups, list: true, since: undefined, signal })).readings;
  } catch (error) {
    if (!isSecretsError(error)) throw error;
    findings.push(failureOf(system, error, path, kind, named || isExpected(system)));
  }
  const writtenAt = writtenAtOf(path, readings);
  const facts = { path, kind, fileSystem: line?.fileSystem, writtenAt, files: readings.size };
  findings.push(
    ...checkBinds(mountinfo, path),
    ...checkFileSystem(system, facts, line),
    ...(await checkLayout(path, signal)),
    ...(kind === 'absent' ? [] : checkModes(system, path, line?.readOnly === true)),
    ...checkAge(system, facts, request.expectedRotationDays),
    ...unreadableFiles(system, readings, kind),
  );
  return { facts, findings, readings };
}

/** A pod without a vault has its secrets in the default mount, or in variables, which do not rotate. */
function isExpected(system: System): boolean {
  return isInPod(system) && !system.environment.AZURE_KEY_VAULT_ENDPOINT;
}

function failureOf(
  system: System,
  error: SecretsError,
  path: string,
  kind: MountKind,
  expected: boolean,
): Finding {
  const harmless = error.code === 'MOUNT_MISSING' && !expected;
  const about = { place: path, level: harmless ? 'note' : undefined } as const;
  if (error.code !== 'MOUNT_UNREADABLE') return findingOf(error, about);
  return findingOf(error, { ...about, next: adviceFor(system, path, kind) ?? error.next ?? '' });
}

/** Files that the package cannot read, with the reason and the setting that fixes it. */
function unreadableFiles(system: System, readings: ReadonlyMap<string, Reading>, kind: MountKind): Finding[] {
  return [...readings].flatMap(([name, reading]) => {
    if (reading.status !== 'failed') return [];
    const { error } = reading;
    const path =
      error.code === 'FILE_UNREADABLE' ? / ?(\/.*?) cannot be read/.exec(error.what)?.[1] : undefined;
    const next = path === undefined ? undefined : adviceFor(system, path, kind);
    return [findingOf(error, { secret: name, place: path, ...(next === undefined ? {} : { next }) })];
  });
}

/** What is bound into the mount, or was bound as the mount, and does not follow what happens on the host. */
function checkBinds(mountinfo: string, path: string): Finding[] {
  const root = real(path);
  const subPath = subPathProblem(root, mountinfo);
  const others = findBinds(mountinfo, root).flatMap(({ path: place }) => {
    const isSingle = singleFiles(place, mountinfo).includes(place);
    const problem =
      replacedProblem(place, [], mountinfo) ?? (isSingle ? singleFileProblem([place]) : undefined);
    return problem === undefined ? [] : [findingOf(problem, { place })];
  });
  return subPath === undefined ? others : [findingOf(subPath, { place: path }), ...others];
}

function checkFileSystem(
  system: System,
  { path, kind, fileSystem }: MountFacts,
  line: MountLine | undefined,
): Finding[] {
  if (fileSystem === undefined || kind === 'absent') return [];
  if (isNetwork(fileSystem)) return [finding('MOUNT_NETWORK', { path, fileSystem }, { place: path })];
  const inContainer = kind === 'plain' && line?.mountPoint === '/' && isInPod(system);
  return inContainer ? [finding('MOUNT_NOT_VOLUME', { path, fileSystem }, { place: path })] : [];
}

/** What an update that did not finish, or a second writer, leaves in a Kubernetes mount. */
async function checkLayout(path: string, signal: AbortSignal): Promise<Finding[]> {
  if (volumeTarget(path) === undefined) return [];
  const first = faultsOf(path);
  if (first.length === 0) return [];
  // An update may be under way: only what stays is a fault.
  await realDelay(UPDATE_MS, signal);
  const places = new Set(first.map(({ place }) => place));
  return faultsOf(path).filter(({ place }) => places.has(place));
}

function faultsOf(path: string): Finding[] {
  const faults: Finding[] = [];
  for (const entry of entriesOf(path)) {
    const place = `${path}/${entry.name}`;
    if (entry.name === TMP_LINK) faults.push(finding('SWAP_UNFINISHED', { path: place }, { place }));
    if (entry.name.startsWith('..')) continue;
    if (!entry.isSymbolicLink()) faults.push(finding('FILE_STRAY', { path: place }, { place }));
    else if (statIfThere(place) === undefined) {
      faults.push(finding('LINK_DANGLING', { path: place, target: readlinkSync(place) }, { place }));
    }
  }
  return faults;
}

function checkAge(
  { now }: System,
  { path, writtenAt }: MountFacts,
  expectedDays: number | undefined,
): Finding[] {
  if (writtenAt === undefined) return [];
  const ageDays = Math.floor((now - writtenAt.getTime()) / DAY_MS);
  if (expectedDays !== undefined) {
    // The driver may notice a rotation late, but not by days.
    return ageDays > expectedDays
      ? [finding('GENERATION_OLD', { path, ageDays, expectedDays }, { place: path })]
      : [];
  }
  return ageDays < OLD_DAYS ? [] : [finding('GENERATION_UNCHANGED', { path, ageDays }, { place: path })];
}

function kindOf(path: string, line: MountLine | undefined): MountKind {
  const stat = statIfThere(path);
  if (stat === undefined) return 'absent';
  if (stat.isFile()) return 'file';
  return (line && volumeKind(line)) ?? (volumeTarget(path) === undefined ? 'plain' : 'kubernetes');
}

/** From the name of the generation, which is in UTC; of plain files, the newest time. */
function writtenAtOf(path: string, readings: ReadonlyMap<string, Reading>): Date | undefined {
  const target = volumeTarget(path);
  if (target !== undefined) {
    const [, ...parts] = /^\.\.(\d{4})_(\d\d)_(\d\d)_(\d\d)_(\d\d)_(\d\d)\./.exec(target) ?? [];
    const [year = 0, month = 1, day, hour, minute, second] = parts.map(Number);
    if (parts.length > 0) return new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  }
  const times = [...readings.values()].flatMap((reading) =>
    reading.status === 'found' ? (statIfThere(reading.origin)?.mtimeMs ?? []) : [],
  );
  return times.length === 0 ? undefined : new Date(Math.max(...times));
}

function entriesOf(path: string) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    return [];
  }
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
